import type { SessionSummary } from "@antechamber/client/protocol";
import type { JSX } from "preact";
import { hrefOf } from "../../router.ts";
import { StatusBadge } from "../../ui/badge.tsx";
import { absoluteTime, now, relativeTime, Time } from "../../ui/time.tsx";

/** Number of marks on the time axis. */
const MARKS = 5;
/** Shortest time that the axis covers, in milliseconds. */
const MIN_SPAN_MS = 5 * 60_000;

/** Sessions as lanes on one time axis, newest first: from the creation to the last use, and to the expiry if live. */
export function Lanes({ sessions }: { readonly sessions: readonly SessionSummary[] }): JSX.Element {
  const earliest = Math.min(...sessions.map(({ createdAt }) => Date.parse(createdAt)));
  const latest = Math.max(...sessions.map(({ lastActiveAt }) => Date.parse(lastActiveAt)));
  const end = Math.max(latest, sessions.some(({ status }) => status === "live") ? now.value : 0);
  const start = Math.min(earliest, end - MIN_SPAN_MS);
  const part = (time: number) => Math.max(0, Math.min(1, (time - start) / (end - start))) * 100;
  return (
    <div class="lanes">
      <ol>
        {sessions.map((session) => {
          const { handle, label, createdAt, lastActiveAt, status } = session;
          const left = part(Date.parse(createdAt));
          const until = part(Date.parse(lastActiveAt));
          return (
            <li key={handle} data-row="">
              <a href={hrefOf("sessions", { handle })} class="lane">
                <span class="lane-name">
                  {label ? <bdi>{label}</bdi> : <span>Session</span>} <code>…{handle.slice(-8)}</code>
                </span>
                <span class="lane-axis" aria-hidden="true">
                  <span
                    class={`lane-bar ${status}`}
                    style={{ left: `min(${left}%, calc(100% - 6px))`, width: `max(6px, ${until - left}%)` }}
                  />
                </span>
                <span class="lane-time">
                  <Time at={lastActiveAt} />
                </span>
                <StatusBadge status={status} />
              </a>
            </li>
          );
        })}
      </ol>
      <div class="lane-marks quiet" aria-hidden="true">
        {Array.from({ length: MARKS }, (_, at) => {
          const time = start + ((end - start) * at) / (MARKS - 1);
          return (
            <span key={at} title={absoluteTime(time)}>
              {relativeTime(time, now.value)}
            </span>
          );
        })}
      </div>
    </div>
  );
}
