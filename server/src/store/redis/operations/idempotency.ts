import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { AnswerItem } from "../../moving.ts";
import { ANSWER_LIFE, type Once, type Repetition } from "../../store.ts";
import type { Connection, Operation } from "../connection/connection.ts";
import type { Keys } from "../layout/key-names.ts";
import { newNonce } from "../layout/nonce.ts";
import { scripts } from "../scripts/scripts.ts";

/*
 * Requests with a key are carried out once. The key and what it changes lie in different slots:
 *
 *   free --reserve--> pending --the change, which comes to the same however often it is made--> done
 *                     pending --refused--> free
 *
 * What is needed to make the change lies with the reservation, so that a request that finds one pending
 * can go on with it: its process may have died. It waits first, as the other is most likely at work.
 */

/** How long (ms) a pending request is left to whoever reserved it: less than the deadline of a request. */
const GRACE = 1000;
const PAUSE = 10;

/** What carries out a change, so that the same again changes nothing. */
export interface Work<O> {
  readonly once: IdempotentRequest;
  /** The session in which is recorded; `null` when one is created. */
  readonly id: string | null;
  /** The session that is created; `null` when is recorded. */
  readonly created: string | null;
  /** What is needed to carry it out; `null` when nothing is. */
  readonly need: string | null;
  /** What is told when it succeeds. */
  readonly success: O;
  /** Carries out what was reserved, by this request or an earlier one. */
  perform(need: string): Promise<O>;
}

/** First answers to requests with a key. */
export interface Answers {
  carryOut<O extends { readonly outcome: string }>(
    operation: Operation,
    work: Work<O>,
  ): Promise<O | Replay>;
  /** What became of an earlier request; `isDone` tells of one that is pending. */
  find(
    operation: Operation,
    asked: Omit<IdempotentRequest, "response">,
    isDone: (id: string | null, need: string) => Promise<boolean>,
  ): Promise<Replay | undefined>;
  /** The answer under a key of the pattern `moving`, if it is kept at the operation's time. */
  read(operation: Operation, key: string): Promise<StoredResponseItem | undefined>;
  /** The answers that tell of a session, oldest first. */
  about(operation: Operation, id: string): Promise<readonly StoredResponseItem[]>;
  /** Lets go of them. */
  erase(operation: Operation, id: string): Promise<void>;
  /** Keeps an answer of another store, unless there is a later one. */
  adopt(operation: Operation, item: StoredResponseItem): Promise<void>;
}

/**
 * A whole number that stands for a request where a batch of records is told from others. A key may come
 * again when its time is over, so the time (ms) counts too.
 */
export function batchOf(key: string, now: number): number {
  return createHash("sha256").update(`${now} ${key}`).digest().readUIntBE(0, 5);
}

/** The answers behind `connection`. */
export function createAnswers(connection: Connection, keys: Keys): Answers {
  async function reserve<O>(operation: Operation, nonce: string, work: Work<O>) {
    const { once, id, created, need } = work;
    const { key, fingerprint: request, response: answer } = once;
    const about = [id ?? "", created ?? ""];
    const words = [
      operation.now,
      STORED_RESPONSE_LIFE_MS,
      nonce,
      request,
      answer,
      ...about,
      need ?? "-",
    ];
    const names = [keys.answer(key)];
    return (await connection.run(operation, scripts.reserveRequest, names, words)) as string[];
  }

  async function settle(operation: Operation, key: string, nonce: string, isDone: boolean) {
    const words = [nonce, isDone ? 1 : 0];
    await connection.run(operation, scripts.settleRequest, [keys.answer(key)], words);
  }

  async function finish<O extends { readonly outcome: string }>(
    operation: Operation,
    work: Work<O>,
    nonce: string,
    need: string,
  ): Promise<O> {
    const result = await work.perform(need);
    await settle(operation, work.once.key, nonce, result.outcome === work.success.outcome);
    return result;
  }

  async function fields(operation: Operation, key: string) {
    const names = ["r", "a", "t", "i", "c", "n"];
    const reply = await connection.command(operation, "hmget", keys.answer(key), ...names);
    const [request, answer, storedAt, id, created, need] = reply as (string | null)[];
    if (request == null || answer == null) return undefined;
    if (Number(storedAt) + STORED_RESPONSE_LIFE_MS <= operation.now) return undefined;
    return {
      request,
      answer,
      storedAt: Number(storedAt),
      id: id ?? null,
      created: created ?? null,
      need: need ?? null,
    };
  }

  /**
   * Adds an idempotency key to those of a session, only for the request that reserved it: other requests with the
   * same key are about other sessions.
   */
  async function enter(operation: Operation, id: string, key: string): Promise<void> {
    const name = keys.answersAbout(id);
    await connection.write(operation, "sadd", name, key);
    await connection.command(operation, "pexpire", name, STORED_RESPONSE_LIFE_MS);
  }

  async function keysAbout(operation: Operation, id: string): Promise<string[]> {
    return (await connection.command(operation, "smembers", keys.answersAbout(id))) as string[];
  }

  async function read(operation: Operation, key: string): Promise<StoredResponseItem | undefined> {
    const known = await fields(operation, key);
    // One that is pending has not been answered.
    if (known === undefined || known.need !== null) return undefined;
    const { request, answer, id, created, storedAt } = known;
    return {
      kind: "answer",
      idempotent: { key, fingerprint: request, response: answer },
      id,
      created,
      storedAt,
    };
  }

  return {
    async carryOut(operation, work) {
      const { fingerprint: request } = work.once;
      const own = newNonce();
      const patience = performance.now() + GRACE;
      for (;;) {
        const [state, known, answer = "", owner = "", need = "", nonce = ""] = await reserve(
          operation,
          own,
          work,
        );
        if (state === "reserved") {
          await enter(operation, work.id ?? work.created ?? "", work.once.key);
          return work.need === null ? work.success : finish(operation, work, own, work.need);
        }
        if (known !== request) return { outcome: "key-reused" };
        if (state === "done") return { outcome: "repeated", response: answer };
        if (performance.now() < patience) {
          await delay(PAUSE);
          continue;
        }
        // The process that reserved it may have died before this.
        await enter(operation, owner, work.once.key);
        const result = await finish(operation, work, nonce, need);
        if (result.outcome === work.success.outcome)
          return { outcome: "repeated", response: answer };
      }
    },
    async find(operation, { key, fingerprint: request }, isDone) {
      const known = await fields(operation, key);
      if (known === undefined) return undefined;
      if (known.request !== request) return { outcome: "key-reused" };
      if (known.need !== null && !(await isDone(known.id, known.need))) return undefined;
      return { outcome: "repeated", response: known.answer };
    },
    read,
    async about(operation, id) {
      const names = await keysAbout(operation, id);
      const found = await Promise.all(names.map((key) => read(operation, key)));
      return found
        .filter((item) => item !== undefined)
        .filter((item) => item.id === id || item.created === id)
        .toSorted((a, b) => a.storedAt - b.storedAt);
    },
    async erase(operation, id) {
      const names = await keysAbout(operation, id);
      await Promise.all(
        names.map((key) =>
          connection.change(operation, scripts.eraseResponse, [keys.answer(key)], [id]),
        ),
      );
      await connection.write(operation, "del", keys.answersAbout(id));
    },
    async adopt(operation, { idempotent: once, id, created, storedAt }) {
      const { key, fingerprint: request, response: answer } = once;
      const known = await fields(operation, key);
      const life = storedAt + STORED_RESPONSE_LIFE_MS - operation.now;
      if (life <= 0 || (known !== undefined && known.storedAt > storedAt)) return;
      const name = keys.answer(key);
      const session = [
        ...(id === null ? [] : ["i", id]),
        ...(created === null ? [] : ["c", created]),
      ];
      await enter(operation, id ?? created ?? "", key);
      await connection.write(
        operation,
        "hset",
        name,
        "r",
        request,
        "a",
        answer,
        "t",
        storedAt,
        ...session,
      );
      await connection.write(operation, "pexpire", name, life);
    },
  };
}
