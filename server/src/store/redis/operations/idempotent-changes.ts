import { isBare, type Session } from "../../../session/session.ts";
import type { IdempotentRequest } from "../../ports/idempotency.ts";
import type { StoreRecordsRequest } from "../../ports/records.ts";
import type { AssociationRequest, AssociationResult, CreateResult } from "../../ports/sessions.ts";
import type { Operation } from "../engine.ts";
import { newNonce } from "../layout/nonce.ts";
import { decode, encode, isRotatedBy } from "../layout/session-codec.ts";
import type { RecordQueue } from "../records/record-queue.ts";
import { associateIds } from "../sessions/association.ts";
import { create } from "../sessions/sessions.ts";
import { batchOf, carryOutOnce } from "./idempotency.ts";

/*
 * The changes that idempotent requests make. A reservation contains what a change needs in order to be completed by
 * another process (`need` in `idempotency.ts`):
 *
 *   create a session  the handle, a line break and the session's text
 *   store records     the number of the batch
 *   rotate an id      the generation before the rotation, a space and the nonce of the rotation
 */

/** Stores a new session at most once. Of a bare session, only the response is stored (contract.md#rule-8). */
export function createOnce(operation: Operation, session: Session, idempotent: IdempotentRequest) {
  return carryOutOnce<CreateResult>(operation, {
    idempotent,
    handle: null,
    created: session.handle,
    need: isBare(session) ? null : `${session.handle}\n${encode(session)}`,
    success: "created",
    perform: async (need) => (need === null ? { outcome: "created" } : create(operation, sessionIn(need))),
  });
}

/** Stores records at most once. */
export function storeRecordsOnce(
  operation: Operation,
  queue: RecordQueue,
  { handle, records, now }: StoreRecordsRequest,
  idempotent: IdempotentRequest,
) {
  return carryOutOnce<{ readonly outcome: "recorded" }>(operation, {
    idempotent,
    handle,
    created: null,
    need: String(batchOf(idempotent.key, now)),
    success: "recorded",
    async perform(batch) {
      await queue.store(operation, handle, records, Number(batch));
      return { outcome: "recorded" };
    },
  });
}

/** Rotates a session's id at most once, and associates ids with the session. */
export function rotateOnce(operation: Operation, request: AssociationRequest, idempotent: IdempotentRequest) {
  return carryOutOnce<AssociationResult>(operation, {
    idempotent,
    handle: request.handle,
    created: null,
    need: `${request.generation} ${newNonce()}`,
    success: "associated",
    perform: (need) => associateIds(operation, { ...request, rotation: need?.split(" ")[1] ?? "" }),
  });
}

/** Returns whether the change of a pending request has been made. `handle` and `need` are those of its reservation. */
export async function isDone(operation: Operation, queue: RecordQueue, handle: string | null, need: string) {
  const { keys } = operation;
  if (handle === null) {
    return (await operation.command("exists", keys.session(sessionIn(need).handle))) === 1;
  }
  const [first = "", nonce] = need.split(" ");
  if (nonce === undefined) return queue.isStored(operation, handle, Number(first));
  const text = (await operation.command("get", keys.session(handle))) as string | null;
  return text !== null && isRotatedBy(text, Number(first), nonce);
}

/** Returns the session in the `need` of `createOnce`. */
function sessionIn(need: string): Session {
  const end = need.indexOf("\n");
  return decode(need.slice(0, end), need.slice(end + 1));
}
