import { ProblemError } from "../problem-error.ts";

/** Facts that the warnings mention. */
export interface WarningContext {
  /** Address of the service. */
  readonly url: string;
  readonly hasKey: boolean;
  /** The deadline in milliseconds. */
  readonly deadline: number;
  /** Consequence of a failure for the application, in a sentence; by default for an application with the middleware. */
  readonly consequence?: string | undefined;
}

const DEFAULT_CONSEQUENCE = "Requests continue, without a session if finding it failed. To handle this, set onError.";

/** Minimum time (ms) between two warnings of the same kind. */
const WARNING_INTERVAL_MS = 60_000;
/** Maximum number of kinds of failures to count, as an application's own functions may throw errors of any name. */
const MAX_KINDS = 50;
/** Matches session ids. They are removed from warnings, because a session id is a secret. */
const SESSION_ID = /[A-Za-z0-9_-]{40}/g;

interface Kind {
  quietUntil: number;
  failures: number;
  lostRecords: number;
}

/**
 * Returns the default `onError`. It warns about the first failure of each kind at once, and then at most once a minute,
 * with the number of failures since the last warning.
 */
export function createWarnings(
  context: WarningContext,
  warn: (text: string) => void = (text) => console.warn(text),
  now: () => number = () => performance.now(),
): (error: unknown, lostRecords: number) => void {
  const kinds = new Map<string, Kind>();
  return (error, lostRecords) => {
    const name = kindOf(error);
    const isKnown = kinds.has(name) || kinds.size < MAX_KINDS;
    const kind = kinds.get(name) ?? { quietUntil: -Infinity, failures: 0, lostRecords: 0 };
    if (isKnown) kinds.set(name, kind);
    kind.failures += 1;
    kind.lostRecords += lostRecords;
    if (now() < kind.quietUntil) return;
    warn(textOf(error, kind, context));
    kinds.set(name, { quietUntil: now() + WARNING_INTERVAL_MS, failures: 0, lostRecords: 0 });
  };
}

function kindOf(error: unknown): string {
  if (error instanceof ProblemError) return error.code;
  return error instanceof Error ? error.name : typeof error;
}

function textOf(error: unknown, kind: Kind, context: WarningContext): string {
  const parts = [`antechamber: ${reasonOf(error, context)}`];
  if (kind.lostRecords > 0) parts.push(`Records lost: ${kind.lostRecords}.`);
  if (kind.failures > 1) parts.push(`This happened ${kind.failures} times since the last warning.`);
  parts.push(context.consequence ?? DEFAULT_CONSEQUENCE);
  return parts.join(" ").replace(SESSION_ID, "<session id>");
}

function reasonOf(error: unknown, { url, hasKey, deadline }: WarningContext): string {
  if (!(error instanceof ProblemError)) return error instanceof Error ? (error.stack ?? String(error)) : String(error);
  const { code, status, cause } = error;
  switch (code) {
    case "credential-required":
      return `${url} asks for a key, and the option key is ${hasKey ? "not sent" : "undefined or empty"}: make one with "antechamber keys create --role service".`;
    case "invalid-credential":
      return hasKey
        ? `${url} does not accept the key: it is wrong, expired or revoked. Check the option key.`
        : `${url} does not accept a request without a key. Set the option key.`;
    case "network":
      return `${url} cannot be reached (${networkCause(cause)}). ${adviceForNetwork(cause)}`;
    case "timeout":
      return `${url} did not respond in time (the deadline is ${deadline} ms).`;
    case "unexpected-answer":
      if (status >= 502) return `A proxy at ${url} cannot reach Antechamber (status ${status}).`;
      return `The server at ${url} is not Antechamber (status ${status}). Check the option url.`;
    case "not-found":
      return `${url} is Antechamber, but nothing is served below this path. Check the option url; its path must be in the setting basePath.`;
    case "unavailable":
      if (status === 0) return `${url} did not respond to the last calls, and is asked again in a moment.`;
      return `${url} cannot answer requests at the moment: ${error.message}`;
    default:
      return `${url} refused a request: ${code}, ${error.message.replace(/\.?$/, ".")}`;
  }
}

/** Returns what to check. Antechamber itself has no TLS, so a failed handshake usually means a wrong `https`. */
function adviceForNetwork(cause: unknown): string {
  const isWithoutTls = /wrong version number|TLS handshake failed/.test(networkCause(cause));
  return isWithoutTls
    ? "Antechamber has no TLS: begin the option url with http://, or give the address of a proxy that has TLS."
    : "Check the option url, and that Antechamber runs.";
}

/** Returns the reason for a network failure, which Node's `fetch` gives only in the cause of its error. */
function networkCause(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? String(error.code) : "";
  if (error.cause instanceof Error) return networkCause(error.cause);
  // OpenSSL's messages end with a line break.
  return error.message.trim() || code || error.name;
}
