import type { Logger } from "pino";
import type { Config } from "../../config/config.ts";
import type { Reason } from "../../session/errors.ts";

/** Minimum time (ms) between two warnings with the same reason. */
const WARNING_INTERVAL_MS = 60_000;

/** Warns of a refused sub-request if its reason is a mistake in the set-up of the proxy. */
export type WarnOfProxy = (reason: Reason) => void;

/**
 * Creates the warnings for the operator of a proxy that `/forward-auth` refuses because of its set-up. Every visitor then
 * gets an error page, and the proxy shows nobody the reason. Each reason is logged at most once a minute, with the number
 * of sub-requests that were refused since the last time. `now` returns a time in milliseconds.
 */
export function createProxyWarnings(
  log: Logger,
  auth: Config["auth"],
  now: () => number = () => performance.now(),
): WarnOfProxy {
  const counts = new Map<string, { refused: number; quietUntil: number }>();
  return (reason) => {
    const advice = adviceFor(reason, auth);
    if (advice === undefined) return;
    const count = counts.get(reason.code) ?? { refused: 0, quietUntil: -Infinity };
    counts.set(reason.code, count);
    count.refused += 1;
    if (now() < count.quietUntil) return;
    log.warn({ code: reason.code, refused: count.refused }, `/forward-auth refuses the proxy: ${advice}`);
    counts.set(reason.code, { refused: 0, quietUntil: now() + WARNING_INTERVAL_MS });
  };
}

/** Returns what the operator has to change; `undefined` if the reason is no mistake in the set-up. */
function adviceFor(reason: Reason, auth: Config["auth"]): string | undefined {
  switch (reason.code) {
    case "credential-required":
      return `its request has no credential. Let it send the header Authorization with a ${auth === "key" ? "key" : "token"} of the role agent`;
    case "invalid-credential":
      return auth === "key"
        ? "its key is wrong, expired or revoked. Create another one (antechamber keys create --role agent)"
        : `it is not accepted in mode ${auth}. The log has the reason at level debug`;
    case "role-not-permitted":
      return "its role may not record requests. Use the role agent";
    case "invalid-request":
      return reason.errors.find((fault) => fault.in === "header" && fault.name === "Host")?.detail;
    default:
      return undefined;
  }
}
