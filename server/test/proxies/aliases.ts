/**
 * All spellings of the identity headers that a client may send and that an application, or a program before it, may
 * take for the real names. CGI and similar interfaces know only HTTP_GKC_CUSTOMERID; some programs drop separators.
 */

const words = [
  ["gkc", "session", "Id"],
  ["gkc", "customer", "Id"],
  ["gkc", "agent", "Id"],
  ["gkc", "visit", "Id"],
  ["gkc", "global", "Visit", "Id"],
  ["gkc", "assertion"],
] as const;

/** The five headers as contract.md#forward-authentication spells them. */
export const identityHeaders = [
  "gkc-sessionId",
  "gkc-customerId",
  "gkc-agentId",
  "gkc-visitId",
  "gkc-globalVisitId",
] as const;

/** The header of the signed identity (contract.md#signed-identity). */
export const assertionHeader = "gkc-assertion";

/** Returns every name with every mixture of these separators between its words, in four cases. */
export function aliases(separators: readonly string[] = ["", "-", "_", "."]): string[] {
  const names = words.flatMap((name) => spellings(name, separators));
  const cased = names.flatMap((name) => [
    name,
    name.toLowerCase(),
    name.toUpperCase(),
    name.replace(/^g|(?<=[-_.])\w/g, (letter) => letter.toUpperCase()),
  ]);
  return [...new Set([...cased, ...identityHeaders, assertionHeader])];
}

/** Returns the headers in which a client may claim an address, in all spellings that CGI and the like confuse. */
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

/** Returns a name in lower case without separators: the same text for all spellings of an identity header. */
export function folded(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]/g, "");
}

/** The identity that a client claims in all these headers. It must never reach the application. */
export const FORGED = "forged";
