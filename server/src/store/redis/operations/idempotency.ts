import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Refusal } from "../../../session/errors.ts";
import type { StoredResponseItem } from "../../ports/idempotency.ts";
import { type IdempotentRequest, type Replay, STORED_RESPONSE_LIFE_MS } from "../../ports/idempotency.ts";
import type { Operation } from "../engine.ts";
import { newNonce } from "../layout/nonce.ts";
import { scripts } from "../scripts/scripts.ts";

/*
 * Carries out an idempotent request at most once. The stored response and the data that the request changes are in
 * different slots, so the request takes several steps. The states of an idempotency key:
 *
 *   free --reserve--> pending --the change, which is idempotent--> done
 *                     pending --refused--> free
 *
 * If a process dies, its request stays pending. Another request with the same key can then complete the pending
 * request, because the reservation contains the data that the change needs. It first waits for `MAX_GRACE`, because the
 * first process is most likely still working.
 */

/**
 * Maximum time (ms) for which a pending request is left to its process. It is at most half of the time that a request
 * has, so that a repeated request can wait for it and then complete the pending request.
 */
const MAX_GRACE = 1000;
/** Time (ms) until a pending request is examined again. */
const PAUSE = 10;

/** An idempotent request and its change. */
export interface IdempotentChange<O extends { readonly outcome: string }> {
  readonly idempotent: IdempotentRequest;
  /** Handle of the session that the request changes; `null` if it creates a session. */
  readonly handle: string | null;
  /** Handle of the session that the request creates; `null` if it changes a session. */
  readonly created: string | null;
  /** The data that the change needs: the argument of `perform`. `null` if there is no change to make. */
  readonly need: string | null;
  /** The outcome of `perform` if the change is made. */
  readonly success: O["outcome"];
  /** Makes the change. `need` comes from this request, or from an earlier one with the same key that is pending. */
  perform(need: string | null): Promise<O>;
}

/**
 * Returns the batch number for the records of an idempotent request. The number also depends on the time (Unix ms),
 * because an idempotency key may be used for another request after its stored response has expired.
 */
export function batchOf(key: string, now: number): number {
  return createHash("sha256").update(`${now} ${key}`).digest().readUIntBE(0, 5);
}

/** Carries out the request, unless its idempotency key was used before. */
export async function carryOutOnce<O extends { readonly outcome: string }>(
  operation: Operation,
  change: IdempotentChange<O>,
): Promise<O | Replay> {
  const { idempotent, need } = change;
  const nonce = newNonce();
  const graceEnd = performance.now() + Math.min(MAX_GRACE, operation.engine.options.timeout / 2);
  for (;;) {
    const [state, fingerprint, response = "", owner = "", pendingNeed = "", pendingNonce = ""] = await reserve(
      operation,
      nonce,
      change,
    );
    if (state === "reserved") {
      await addTo(operation, change.handle ?? change.created ?? "", idempotent.key);
      return need === null ? change.perform(null) : finish(operation, change, nonce, need);
    }
    if (fingerprint !== idempotent.fingerprint) return { outcome: "key-reused" };
    if (state === "done") return { outcome: "repeated", response };
    if (performance.now() < graceEnd) {
      await delay(PAUSE);
      continue;
    }
    // The process that reserved the idempotency key may have died before it added the key to the set.
    await addTo(operation, owner, idempotent.key);
    const result = await finish(operation, change, pendingNonce, pendingNeed);
    if (result.outcome === change.success) return { outcome: "repeated", response };
  }
}

/**
 * Returns the result of an earlier request with this `key`, or `undefined` if there was none. If that request is
 * pending, `isDone` returns whether its change has been made; if not, there is no result yet.
 */
export async function findReplay(
  operation: Operation,
  { key, fingerprint }: Omit<IdempotentRequest, "response">,
  isDone: (handle: string | null, need: string) => Promise<boolean>,
): Promise<Replay | undefined> {
  const stored = await readStored(operation, key);
  if (stored === undefined) return undefined;
  if (stored.fingerprint !== fingerprint) return { outcome: "key-reused" };
  if (stored.need !== null && !(await isDone(stored.handle, stored.need))) return undefined;
  return { outcome: "repeated", response: stored.response };
}

/** Reads the stored response of an idempotency key. Returns `undefined` if there is none or its request is pending. */
export async function readResponse(operation: Operation, key: string): Promise<StoredResponseItem | undefined> {
  const stored = await readStored(operation, key);
  if (stored === undefined || stored.need !== null) return undefined;
  const { fingerprint, response, handle, created, storedAt } = stored;
  const idempotent = { key, fingerprint, response };
  return { kind: "answer", idempotent, handle, created, storedAt };
}

/** Reads the stored responses of requests that created or changed a session, oldest first. */
export async function responsesAbout(operation: Operation, handle: string) {
  const keys = await keysAbout(operation, handle);
  const found = await Promise.all(keys.map((key) => readResponse(operation, key)));
  return found
    .filter((item) => item !== undefined)
    .filter((item) => item.handle === handle || item.created === handle)
    .toSorted((a, b) => a.storedAt - b.storedAt);
}

/** Removes the stored responses of requests that created or changed a session. */
export async function eraseResponses(operation: Operation, handle: string): Promise<void> {
  const keys = await keysAbout(operation, handle);
  await Promise.all(
    keys.map((key) => operation.change(scripts.eraseResponse, [operation.keys.response(key)], [handle])),
  );
  await operation.write("del", operation.keys.responsesAbout(handle));
}

/** Imports a stored response of another store, unless it has expired or a later one is stored under the same key. */
export async function importResponse(operation: Operation, item: StoredResponseItem) {
  const { idempotent, handle, created, storedAt } = item;
  const { key, fingerprint, response } = idempotent;
  const stored = await readStored(operation, key);
  const life = storedAt + STORED_RESPONSE_LIFE_MS - operation.now;
  if (life <= 0 || (stored !== undefined && stored.storedAt > storedAt)) return;
  await addTo(operation, handle ?? created ?? "", key);
  const name = operation.keys.response(key);
  const fields = [
    ...["r", fingerprint, "a", response, "t", storedAt],
    ...(handle === null ? [] : ["i", handle]),
    ...(created === null ? [] : ["c", created]),
  ];
  await operation.write("hset", name, ...fields);
  await operation.write("pexpire", name, life);
}

/** Reserves the idempotency key. Returns the reply of `scripts/reserve-request.lua`. */
async function reserve<O extends { readonly outcome: string }>(
  operation: Operation,
  nonce: string,
  change: IdempotentChange<O>,
) {
  const { idempotent, handle, created, need } = change;
  const { key, fingerprint, response } = idempotent;
  const reservation = [nonce, fingerprint, response, handle ?? "", created ?? "", need ?? "-"];
  const args = [operation.now, STORED_RESPONSE_LIFE_MS, ...reservation];
  const names = [operation.keys.response(key)];
  const reply = await operation.run(scripts.reserveRequest, names, args);
  return reply as string[];
}

/** Makes the change, then completes or frees the reservation that has this nonce. */
async function finish<O extends { readonly outcome: string }>(
  operation: Operation,
  { idempotent, success, perform }: IdempotentChange<O>,
  nonce: string,
  need: string,
): Promise<O> {
  const result = await perform(need);
  const names = [operation.keys.response(idempotent.key)];
  const args = [nonce, result.outcome === success ? 1 : 0];
  try {
    await operation.run(scripts.settleRequest, names, args);
  } catch (error) {
    // The change has been made or refused, so the caller gets the result. A repetition completes the reservation.
    if (!(error instanceof Refusal)) throw error;
  }
  return result;
}

/** Reads a stored response. `need` is the argument of `perform` if the request is pending, otherwise `null`. */
async function readStored(operation: Operation, key: string) {
  const name = operation.keys.response(key);
  const fields = ["r", "a", "t", "i", "c", "n"];
  const reply = await operation.command("hmget", name, ...fields);
  const [fingerprint, response, time, handle = null, created = null, need = null] = reply as (string | null)[];
  const storedAt = Number(time);
  if (fingerprint == null || response == null || storedAt + STORED_RESPONSE_LIFE_MS <= operation.now) {
    return undefined;
  }
  return { fingerprint, response, storedAt, handle, created, need };
}

/**
 * Adds an idempotency key to the set of a session (`responsesAbout`). `handle` is the session of the request that
 * reserved the key, because other requests with the same key may be about other sessions.
 */
async function addTo(operation: Operation, handle: string, key: string): Promise<void> {
  const name = operation.keys.responsesAbout(handle);
  await operation.change(scripts.addIdempotencyKey, [name], [STORED_RESPONSE_LIFE_MS, key]);
}

/** Reads the idempotency keys of requests that created or changed a session. */
async function keysAbout(operation: Operation, handle: string): Promise<string[]> {
  const name = operation.keys.responsesAbout(handle);
  return (await operation.command("smembers", name)) as string[];
}
