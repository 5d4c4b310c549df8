import { type AuditEntry, type ChainFault, chainFaults } from "../store/audit-chain.ts";

/** Returns at most `limit` entries that follow the sequence `after`, from a running server or from a store. */
export type ReadAudit = (request: { readonly after: number; readonly limit: number }) => Promise<{
  readonly entries: readonly AuditEntry[];
  /** Sequence of the newest entry in the trail; 0 if the trail is empty. */
  readonly last: number;
}>;

/** Number of entries that one call of `ReadAudit` reads. */
const PAGE = 500;
/**
 * The clocks of processes that share a trail may differ by this time (ms), so the times of its entries are in order only
 * up to this difference.
 */
const CLOCK_DIFFERENCE_MS = 10 * 60_000;

/** Conditions for entries; `null` or an empty list stands for a condition that is not set. */
export interface AuditFilter {
  /** The id or name of an API key, an agent, or a user of the operating system. */
  readonly actor: string | null;
  /** An operation such as `customer.erase`, or the part before its dot. */
  readonly action: string | null;
  /** Unix ms, inclusive. */
  readonly since: number | null;
  /** Unix ms, exclusive. */
  readonly until: number | null;
  /** Values that the details must have: the handle of a session, or keyed hashes of ids. */
  readonly about: readonly string[];
}

/** Returns whether the filter has no conditions. */
function isAny({ actor, action, since, until, about }: AuditFilter): boolean {
  return [actor, action, since, until].every((condition) => condition === null) && about.length === 0;
}

function isMatch({ at, who, what, details }: AuditEntry, { actor, action, since, until, about }: AuditFilter): boolean {
  if (actor !== null && ![who.credential, who.keyName, who.agentId].includes(actor)) return false;
  if (action !== null && what !== action && !what.startsWith(`${action}.`)) return false;
  if ((since !== null && at < since) || (until !== null && at >= until)) return false;
  return about.every((value) => Object.values(details).includes(value));
}

/** A part of the matching entries. */
export interface AuditMatches {
  /** Newest first. */
  readonly entries: readonly AuditEntry[];
  /** The value of `before` that continues the search with older entries; `null` if there are none. */
  readonly next: number | null;
}

/** The bounds of one search. */
export interface AuditSearch {
  /** Only entries with a smaller sequence; `null` for all. */
  readonly before: number | null;
  /** Maximum number of matching entries. */
  readonly limit: number;
  /** Maximum number of entries that are read, rounded up to whole pages. */
  readonly maxRead: number;
}

/** Finds the newest entries that match. Fewer than `limit` may be found although there are more (`next`). */
export async function findEntries(
  read: ReadAudit,
  filter: AuditFilter,
  { before, limit, maxRead }: AuditSearch,
): Promise<AuditMatches> {
  const found: AuditEntry[] = [];
  const { last } = await read({ after: 0, limit: 0 });
  let end = before === null ? last : Math.min(last, before - 1);
  const size = isAny(filter) ? Math.min(PAGE, limit) : PAGE;
  for (let count = 0; end > 0 && count < maxRead; count += size) {
    const start = Math.max(0, end - size);
    const { entries } = await read({ after: start, limit: end - start });
    for (const entry of entries.toReversed()) {
      if (filter.since !== null && entry.at < filter.since - CLOCK_DIFFERENCE_MS) return { entries: found, next: null };
      if (!isMatch(entry, filter)) continue;
      found.push(entry);
      if (found.length === limit) return { entries: found, next: entry.sequence > 1 ? entry.sequence : null };
    }
    end = start;
  }
  return { entries: found, next: end === 0 ? null : end + 1 };
}

/** An entry after which a check continues. */
export interface AuditPlace {
  readonly sequence: number;
  readonly hash: string;
}

/** Result of checking a part of the trail. */
export interface AuditCheck {
  /** The last entry that was checked, or the place where the check began; `undefined` if the trail is empty. */
  readonly last: AuditPlace | undefined;
  readonly faults: readonly ChainFault[];
  /** Whether one of the checked entries has the expected hash. */
  readonly isExpectedFound: boolean;
  /** Whether newer entries are left to check. */
  readonly hasMore: boolean;
}

/**
 * Checks the chain of hashes of the entries after `from`, or from the beginning, and looks for an entry with
 * `expectedHash`. The entry `from` itself must still be there. Reads at most `maxRead` entries, rounded up to whole pages.
 */
export async function checkEntries(
  read: ReadAudit,
  from: AuditPlace | undefined,
  maxRead: number,
  expectedHash?: string,
): Promise<AuditCheck> {
  const faults: ChainFault[] = from === undefined ? [] : await faultsAt(read, from);
  let isExpectedFound = false;
  let last = from;
  for (let count = 0; count < maxRead; count += PAGE) {
    const { entries } = await read({ after: last?.sequence ?? 0, limit: PAGE });
    if (entries.length === 0) return { last, faults, isExpectedFound, hasMore: false };
    faults.push(...chainFaults(entries, last));
    isExpectedFound ||= entries.some(({ hash }) => hash === expectedHash);
    last = entries.at(-1);
  }
  return { last, faults, isExpectedFound, hasMore: true };
}

/** Returns the fault of an entry that was checked before, if it is gone or has another hash now. */
async function faultsAt(read: ReadAudit, { sequence, hash }: AuditPlace): Promise<ChainFault[]> {
  const { entries } = await read({ after: sequence - 1, limit: 1 });
  const [entry] = entries;
  if (entry?.sequence !== sequence) return [{ sequence, fault: "out-of-order" }];
  return entry.hash === hash ? [] : [{ sequence, fault: "changed" }];
}
