import type { JSX } from "preact";
import { hrefOf } from "../router.ts";
import { CopyButton } from "./copy.tsx";

export interface HandleProps {
  readonly handle: string;
  /** Shows all 24 characters instead of the ends. */
  readonly isWhole?: boolean | undefined;
  /** Links to the page of the session; `true` by default. */
  readonly isLink?: boolean | undefined;
  /** Adds a button that copies it. */
  readonly canCopy?: boolean | undefined;
}

/** The handle of a session. It names the session and opens nothing. */
export function Handle({ handle, isWhole = false, isLink = true, canCopy = false }: HandleProps): JSX.Element {
  // The first characters are the time of creation, and alike in sessions of the same hour; the last ones differ.
  const shown = isWhole ? handle : `${handle.slice(0, 4)}…${handle.slice(-8)}`;
  const text = (
    <code class="handle" title={handle}>
      {shown}
    </code>
  );
  return (
    <span class="with-copy">
      {isLink ? <a href={hrefOf("sessions", { handle })}>{text}</a> : text}
      {canCopy && <CopyButton text={handle} what="handle" />}
    </span>
  );
}
