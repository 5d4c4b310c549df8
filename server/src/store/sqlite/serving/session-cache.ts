import { RecentMap } from "../../../session/recent-map.ts";
import { hasNoIds, type Session } from "../../../session/session.ts";
import type { AssociationResult, CreateResult } from "../../ports/sessions.ts";
import type { Command, Outcome } from "../writer/writer-protocol.ts";

/**
 * The sessions that the serving thread keeps in memory, by handle. The cache is never out of date: only this process
 * changes sessions, and the outcome of a change updates the cache before the caller gets it.
 */
export class SessionCache extends RecentMap<Session> {
  /** Updates the cache after a successful command. */
  update(command: Command, outcome: Outcome): void {
    if (command.kind === "eraseSessions") {
      for (const handle of command.handles) this.delete(handle);
      for (const tombstone of outcome as Outcome<"eraseSessions">) this.set(tombstone.handle, tombstone);
      return;
    }
    if (command.kind === "importItems") {
      for (const item of command.items) if (item.kind === "session") this.delete(item.session.handle);
      return;
    }
    const session = sessionAfter(command, outcome);
    if (session === undefined) return;
    // The cache may have a later renewal of the session already.
    const known = command.kind === "renew" ? this.get(session.handle) : undefined;
    if (known === undefined || known.lastActiveAt <= session.lastActiveAt) {
      this.set(session.handle, session);
    }
  }

  /** Removes the sessions of a command whose outcome is unknown. */
  forget(command: Command): void {
    for (const handle of handlesOf(command)) this.delete(handle);
  }
}

/** Returns the session as it is after a successful command; `undefined` if the command has not changed a session. */
function sessionAfter(command: Command, outcome: Outcome): Session | undefined {
  switch (command.kind) {
    case "create":
      // A session without ids is not stored, and so not cached either (contract.md#rule-8).
      return (outcome as CreateResult).outcome === "created" && !hasNoIds(command.session)
        ? command.session
        : undefined;
    case "associate": {
      const result = outcome as AssociationResult;
      return result.outcome === "associated" ? result.session : undefined;
    }
    case "renew":
    case "end":
      return (outcome as Session | null) ?? undefined;
    default:
      return undefined;
  }
}

function handlesOf(command: Command): readonly string[] {
  if (command.kind === "eraseSessions") return command.handles;
  if (command.kind === "create") return [command.session.handle];
  return "handle" in command && command.handle !== undefined ? [command.handle] : [];
}
