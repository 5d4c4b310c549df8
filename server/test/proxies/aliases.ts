/**
 * The identity headers as a client may spell them: every name that an application, or a program before it, may take
 * for the same. CGI and similar interfaces know only HTTP_GKC_CUSTOMERID; some programs drop separators.
 */

const words = [
  ["gkc", "session", "Id"],
  ["gkc", "customer", "Id"],
  ["gkc", "agent", "Id"],
  ["gkc", "visit", "Id"],
  ["gkc", "global", "Visit", "Id"],
] as const;

/** The five headers as contract.md#forward-authentication spells them. */
export const identityHeaders = [
  "gkc-sessionId",
  "gkc-customerId",
  "gkc-agentId",
  "gkc-visitId",
  "gkc-globalVisitId",
] as const;

/** Returns every name with every mixture of no separator, `-`, `_` and `.` between its words, in four cases. */
export function aliases(separators: readonly string[] = ["", "-", "_", "."]): string[] {
  const names = words.flatMap((name) => spellings(name, separators));
  const cased = names.flatMap((name) => [
    name,
    name.toLowerCase(),
    name.toUpperCase(),
    name.replace(/^g|(?<=[-_.])\w/g, (letter) => letter.toUpperCase()),
  ]);
  return [...new Set([...cased, ...identityHeaders])];
}

/**
 * Returns the headers in which a client may claim an address, with spellings that CGI and similar interfaces confuse.
 */
export function addressAliases(): string[] {
  return [["X", "Forwarded", "For"], ["X", "Real", "IP"], ["Forwarded"]].flatMap((name) =>
    spellings(name, ["-", "_", "."]),
  );
}

/** Returns the words of a name with every mixture of separators between them. */
function spellings([first = "", ...others]: readonly string[], separators: readonly string[]) {
  return others.reduce(
    (starts: string[], word) => starts.flatMap((start) => separators.map((separator) => start + separator + word)),
    [first],
  );
}

/** Returns a name without case and separators: the same for all spellings of an identity header. */
export function folded(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]/g, "");
}

/** Identity that a client claims in all those headers: it must never arrive. */
export const FORGED = "forged";
