import type { SessionSummary } from "@antechamber/client/protocol";
import type { ComponentChildren, JSX } from "preact";

/** The meaning of a badge. Each has a shape of its own, so that colour is never the only difference. */
export type Tone = "good" | "neutral" | "notice" | "warning" | "bad" | "known";

const shapes: Readonly<Record<Tone, JSX.Element>> = {
  good: <circle cx="5" cy="5" r="4" />,
  neutral: <circle cx="5" cy="5" r="3.25" class="hollow" />,
  notice: <rect x="1" y="1" width="8" height="8" rx="1.5" />,
  warning: <path d="M5 .8 9.4 9H.6z" />,
  bad: <path d="M5 0l5 5-5 5-5-5z" />,
  known: <path d="M5 .5a2.3 2.3 0 1 1 0 4.6A2.3 2.3 0 0 1 5 .5zM.8 9.8a4.2 4.2 0 0 1 8.4 0z" />,
};

export interface BadgeProps {
  readonly tone: Tone;
  readonly children: ComponentChildren;
}

/** A short text with a shape and a colour, such as a status. */
export function Badge({ tone, children }: BadgeProps): JSX.Element {
  return (
    <span class={`badge ${tone}`}>
      <svg viewBox="0 0 10 10" width="8" height="8" aria-hidden="true" focusable="false">
        {shapes[tone]}
      </svg>
      {children}
    </span>
  );
}

const statusTones: Readonly<Record<SessionSummary["status"], Tone>> = {
  live: "good",
  expired: "neutral",
  ended: "notice",
};

/** The status of a session: live, expired or ended. */
export function StatusBadge({ status }: { readonly status: SessionSummary["status"] }): JSX.Element {
  return <Badge tone={statusTones[status]}>{status}</Badge>;
}
