import type { Clock } from "../runtime/clock.ts";
import { type AuditTrail, COMMAND_LINE, redactedFilter } from "../services/audit.ts";
import { type Administration, type Part, statusOf } from "../services/customers.ts";
import { isUnconditional, type SessionFilter } from "../session/filter.ts";
import type { Actor, AuditEntry } from "../store/audit-chain.ts";
import type { AuditStore } from "../store/ports/audit.ts";
import { exportLine } from "../wire/customer-export.ts";
import type { SessionView } from "./admin.ts";

/** Asks for a page of sessions. */
export interface PageRequest {
  readonly filter: SessionFilter;
  readonly after: string | null;
  readonly limit: number;
}

/** A page of sessions, each with how it stands. */
export interface ListedSessions {
  readonly sessions: readonly SessionView[];
  readonly next: string | null;
  readonly total: number | null;
}

/** Asks for sessions to be ended. */
export interface EndingRequest {
  readonly filter: SessionFilter;
  readonly after: string | null;
  readonly isDry: boolean;
}

/** Asks what is kept of a customer. */
export interface ExportRequest {
  readonly customerId: string;
  readonly after: string | null;
}

/** A part of what is kept of a customer. */
export interface ExportedPart extends Part {
  readonly lines: readonly string[];
}

/** Asks for entries of the audit trail. */
export interface AuditRequest {
  readonly after: number;
  readonly limit: number;
}

/** Entries of the audit trail. */
export interface AuditStretch {
  readonly entries: readonly AuditEntry[];
  /** The sequence of the last entry that there is; 0: there is none. */
  readonly last: number;
}

/** What the command line carries out by itself, beside the server. */
const ownActs = ["store.backup", "store.migrate"] as const;

/** Tells of such an act. */
export interface NoteRequest {
  readonly what: (typeof ownActs)[number];
  readonly outcome: "begun" | "done" | "failed";
  readonly details: AuditEntry["details"];
}

/** What an operator does with many sessions, and with the trail of what was done. */
export interface Oversight {
  /** A page of sessions, from the place `after` on (`SessionSearch.listSessions`). */
  listSessions(request: PageRequest): Promise<ListedSessions>;
  /** Ends a part of the sessions that the filter asks for, or counts them. */
  endSessions(request: EndingRequest): Promise<Part>;
  /** A part of everything that is kept of a customer, as lines of JSON. */
  exportCustomer(request: ExportRequest): Promise<ExportedPart>;
  /** Erases a part of what is kept of a customer; the last part when `next` is `null`. */
  eraseCustomer(customerId: string): Promise<Part & { readonly keys: number }>;
  /** Entries of the audit trail after the sequence `after`, at most `limit`, and the last of all. */
  auditTrail(request: AuditRequest): Promise<AuditStretch>;
  /** Enters an act of the command line's own into the trail. Throws `TypeError` for any other. */
  noteAct(request: NoteRequest): Promise<void>;
  /** How an id of a session or of a customer stands in the audit trail and in the log. */
  hashOf(id: string): Promise<string>;
}

/** What it works on. */
export interface OversightParts {
  readonly store: AuditStore;
  readonly administration: Administration;
  readonly trail: AuditTrail;
  /** Who acts. */
  readonly who: Actor;
  readonly logHash: (id: string) => string;
  readonly clock: Clock;
  readonly keysChanged?: () => void | Promise<void>;
}

/** Carries an operator's requests out; every act is in the trail before it is reported. */
export function createOversight(parts: OversightParts): Oversight {
  const { store, administration, trail, who, logHash, clock } = parts;
  const act = (what: string, details: AuditEntry["details"]) => ({
    who,
    from: COMMAND_LINE,
    what,
    details,
  });

  return {
    async listSessions({ filter, after, limit }) {
      const { sessions, next, total } = await administration.list(filter, after, limit);
      const now = clock();
      const views = sessions.map((session) => ({ session, status: statusOf(session, now) }));
      return { sessions: views, next, total };
    },

    endSessions({ filter, after, isDry }) {
      const all = isUnconditional(filter) ? { all: true } : {};
      const details = {
        ...redactedFilter(filter, logHash),
        ...all,
        dryRun: isDry,
        isContinued: after !== null,
      };
      return trail.audited(
        act("sessions.end", details),
        () => administration.end(filter, after, isDry),
        ({ sessions, next }) => ({ sessions, isComplete: next === null }),
      );
    },

    async exportCustomer({ customerId, after }) {
      const details = { customer: logHash(customerId), isContinued: after !== null };
      const exporting = act("customer.export", details);
      if (after === null) await trail.note(exporting, "begun");
      const part = await trail.audited(
        exporting,
        () => administration.exportCustomer(customerId, after),
        ({ next }) => (next === null ? {} : undefined),
      );
      return { lines: part.told.map(exportLine), sessions: part.sessions, next: part.next };
    },

    async eraseCustomer(customerId) {
      const details = { customer: logHash(customerId) };
      await trail.note(act("customer.erase", details), "begun");
      const part = await trail.audited(
        act("customer.erase", details),
        () => administration.erase(customerId),
        ({ sessions, keys, next }) => ({ sessions, keys, isComplete: next === null }),
      );
      await parts.keysChanged?.();
      return part;
    },

    async auditTrail({ after, limit }) {
      const last = (await store.lastAuditEntry())?.sequence ?? 0;
      return { entries: await store.readAuditEntries(after, limit), last };
    },

    async noteAct({ what, outcome, details }) {
      const isOwn = ownActs.includes(what) && ["begun", "done", "failed"].includes(outcome);
      if (!isOwn) throw new TypeError("the command line has no such act");
      await trail.note(act(what, details), outcome);
    },

    hashOf: async (id) => logHash(id),
  };
}
