import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { StoredResponseItem } from "../../ports/idempotency.ts";
import {
  type IdempotentRequest,
  type Replay,
  STORED_RESPONSE_LIFE_MS,
} from "../../ports/idempotency.ts";
import type { Operation } from "../engine.ts";
import { newNonce } from "../layout/nonce.ts";
import { scripts } from "../scripts/scripts.ts";

/*
 * Carries idempotent requests out once. The idempotency key and the data that the request changes lie in different
 * slots:
 *
 *   free --reserve--> pending --the change, which is idempotent--> done
 *                     pending --refused--> free
 *
 * The reservation contains what the change needs, so that another request with the same key can complete a pending one
 * whose process died. It waits first, as that process is most likely still at work.
 */

/** Milliseconds for which a pending request is left to its process; less than the deadline of a request. */
const GRACE = 1000;
/** Milliseconds until a pending request is looked at again. */
const PAUSE = 10;

/** An idempotent request. */
export interface IdempotentChange<O> {
  readonly idempotent: IdempotentRequest;
  /** The session that is recorded in; `null` if one is created. */
  readonly id: string | null;
  /** The session that is created; `null` if one is recorded in. */
  readonly created: string | null;
  /** The argument of `perform`; `null` if nothing is left to do. */
  readonly need: string | null;
  /** The result of a success. */
  readonly success: O;
  /** Makes the change that this request or an earlier one reserved. */
  perform(need: string): Promise<O>;
}

/**
 * Returns the batch number of the records of an idempotent request. It depends on the time (ms), as an idempotency key
 * may be used again after its lifetime.
 */
export function batchOf(key: string, now: number): number {
  return createHash("sha256").update(`${now} ${key}`).digest().readUIntBE(0, 5);
}

/** Carries the request out, unless its key was used before. */
export async function carryOutOnce<O extends { readonly outcome: string }>(
  operation: Operation,
  change: IdempotentChange<O>,
): Promise<O | Replay> {
  const { idempotent, need } = change;
  const nonce = newNonce();
  const graceEnd = performance.now() + GRACE;
  for (;;) {
    const [state, fingerprint, response = "", owner = "", pendingNeed = "", pendingNonce = ""] =
      await reserve(operation, nonce, change);
    if (state === "reserved") {
      await addTo(operation, change.id ?? change.created ?? "", idempotent.key);
      return need === null ? change.success : finish(operation, change, nonce, need);
    }
    if (fingerprint !== idempotent.fingerprint) return { outcome: "key-reused" };
    if (state === "done") return { outcome: "repeated", response };
    if (performance.now() < graceEnd) {
      await delay(PAUSE);
      continue;
    }
    // The process that reserved it may have died before it did this.
    await addTo(operation, owner, idempotent.key);
    const result = await finish(operation, change, pendingNonce, pendingNeed);
    if (result.outcome === change.success.outcome) return { outcome: "repeated", response };
  }
}

/** Returns the result of an earlier request; `isDone` decides about a pending one. */
export async function findReplay(
  operation: Operation,
  { key, fingerprint }: Omit<IdempotentRequest, "response">,
  isDone: (id: string | null, need: string) => Promise<boolean>,
): Promise<Replay | undefined> {
  const stored = await readStored(operation, key);
  if (stored === undefined) return undefined;
  if (stored.fingerprint !== fingerprint) return { outcome: "key-reused" };
  if (stored.need !== null && !(await isDone(stored.id, stored.need))) return undefined;
  return { outcome: "repeated", response: stored.response };
}

/** Reads the response of an idempotency key, unless its request is pending. */
export async function readResponse(
  operation: Operation,
  key: string,
): Promise<StoredResponseItem | undefined> {
  const stored = await readStored(operation, key);
  if (stored === undefined || stored.need !== null) return undefined;
  const { fingerprint, response, id, created, storedAt } = stored;
  const idempotent = { key, fingerprint, response };
  return { kind: "answer", idempotent, id, created, storedAt };
}

/** Reads the responses about a session, oldest first. */
export async function responsesAbout(operation: Operation, id: string) {
  const keys = await keysAbout(operation, id);
  const found = await Promise.all(keys.map((key) => readResponse(operation, key)));
  return found
    .filter((item) => item !== undefined)
    .filter((item) => item.id === id || item.created === id)
    .toSorted((a, b) => a.storedAt - b.storedAt);
}

/** Removes the responses about a session. */
export async function eraseResponses(operation: Operation, id: string): Promise<void> {
  const keys = await keysAbout(operation, id);
  await Promise.all(
    keys.map((key) =>
      operation.change(scripts.eraseResponse, [operation.keys.response(key)], [id]),
    ),
  );
  await operation.write("del", operation.keys.responsesAbout(id));
}

/** Imports a response of another store, unless a later one is stored. */
export async function importResponse(operation: Operation, item: StoredResponseItem) {
  const { idempotent, id, created, storedAt } = item;
  const { key, fingerprint, response } = idempotent;
  const stored = await readStored(operation, key);
  const life = storedAt + STORED_RESPONSE_LIFE_MS - operation.now;
  if (life <= 0 || (stored !== undefined && stored.storedAt > storedAt)) return;
  await addTo(operation, id ?? created ?? "", key);
  const name = operation.keys.response(key);
  const fields = [
    ...["r", fingerprint, "a", response, "t", storedAt],
    ...(id === null ? [] : ["i", id]),
    ...(created === null ? [] : ["c", created]),
  ];
  await operation.write("hset", name, ...fields);
  await operation.write("pexpire", name, life);
}

async function reserve<O>(operation: Operation, nonce: string, change: IdempotentChange<O>) {
  const { idempotent, id, created, need } = change;
  const { key, fingerprint, response } = idempotent;
  const reservation = [nonce, fingerprint, response, id ?? "", created ?? "", need ?? "-"];
  const args = [operation.now, STORED_RESPONSE_LIFE_MS, ...reservation];
  const names = [operation.keys.response(key)];
  const reply = await operation.run(scripts.reserveRequest, names, args);
  return reply as string[];
}

/** Makes the change, and completes the reservation with this nonce. */
async function finish<O extends { readonly outcome: string }>(
  operation: Operation,
  { idempotent, success, perform }: IdempotentChange<O>,
  nonce: string,
  need: string,
): Promise<O> {
  const result = await perform(need);
  const names = [operation.keys.response(idempotent.key)];
  const args = [nonce, result.outcome === success.outcome ? 1 : 0];
  await operation.run(scripts.settleRequest, names, args);
  return result;
}

/** Reads a stored response. `need` is the argument of `perform` while the request is pending, then `null`. */
async function readStored(operation: Operation, key: string) {
  const name = operation.keys.response(key);
  const fields = ["r", "a", "t", "i", "c", "n"];
  const reply = await operation.command("hmget", name, ...fields);
  const [fingerprint, response, time, id = null, created = null, need = null] = reply as (
    | string
    | null
  )[];
  const storedAt = Number(time);
  if (
    fingerprint == null ||
    response == null ||
    storedAt + STORED_RESPONSE_LIFE_MS <= operation.now
  ) {
    return undefined;
  }
  return { fingerprint, response, storedAt, id, created, need };
}

/**
 * Adds an idempotency key to those of a session. Only for the request that reserved the key: others with the same key
 * are about other sessions.
 */
async function addTo(operation: Operation, id: string, key: string): Promise<void> {
  const name = operation.keys.responsesAbout(id);
  await operation.write("sadd", name, key);
  await operation.command("pexpire", name, STORED_RESPONSE_LIFE_MS);
}

async function keysAbout(operation: Operation, id: string): Promise<string[]> {
  const name = operation.keys.responsesAbout(id);
  return (await operation.command("smembers", name)) as string[];
}
