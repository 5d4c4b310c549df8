/**
 * The identity headers as a client may spell them: whatever an application or what stands before it
 * may take for the same name. CGI and its kin know only HTTP_GKC_CUSTOMERID, some drop separators.
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

/** Every name with every mixture of no separator, `-`, `_` and `.` between its words, in four cases. */
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

/** The headers in which a client may claim an address, with spellings that CGI and similar interfaces confuse. */
export function addressAliases(): string[] {
  return [["X", "Forwarded", "For"], ["X", "Real", "IP"], ["Forwarded"]].flatMap((name) =>
    spellings(name, ["-", "_", "."]),
  );
}

/** The words of a name, with every mixture of separators between them. */
function spellings([first = "", ...others]: readonly string[], separators: readonly string[]) {
  return others.reduce(
    (starts: string[], word) =>
      starts.flatMap((start) => separators.map((separator) => start + separator + word)),
    [first],
  );
}

/** The one name that all spellings of an identity header come to; others fold to something else. */
export function folded(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]/g, "");
}

/** What a client claims to be in all those headers: it must not arrive anywhere. */
export const FORGED = "forged";
