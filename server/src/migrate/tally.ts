import { hash } from "node:crypto";
import { NO_DATA } from "../session/data.ts";
import { idFields } from "../session/fields.ts";
import type { RequestRecord } from "../session/record.ts";
import { purgeAfter, type RetentionPolicy } from "../session/retention.ts";
import type { Session } from "../session/session.ts";
import { DELIVERY_RETENTION_MS } from "../session/webhook.ts";
import type { ApiKey } from "../store/ports/credentials.ts";
import type { TransferItem } from "../store/ports/transfer.ts";

/** The kinds of content that are counted separately. */
export const talliedKinds = [
  "sessions",
  "records",
  "data",
  "answers",
  "keys",
  "secrets",
  "audit",
  "webhooks",
  "deliveries",
] as const;
export type TalliedKind = (typeof talliedKinds)[number];

/** A count, and a checksum that does not depend on the order of the items. */
export interface Sum {
  readonly count: number;
  readonly checksum: string;
}

/** How long (ms) both stores keep their content before they purge it. */
export interface TallyTimes extends RetentionPolicy {
  readonly answerLife: number;
}

/** Counts and checksums of everything in a store. */
export interface Tally {
  add(item: TransferItem): void;
  /** Returns the sum of this kind's content, without content that may have been purged by `now` (Unix ms). */
  sum(kind: TalliedKind, now: number): Sum;
}

/** A store may purge while it is read, so content is summed for each hour in which it may be purged. */
const HOUR = 60 * 60 * 1000;
const CHECKSUM_BITS = 128n;

interface Bucket {
  count: number;
  total: bigint;
}

/** Creates an empty tally. */
export function createTally(times: TallyTimes): Tally {
  const buckets = Object.fromEntries(talliedKinds.map((kind) => [kind, new Map<number, Bucket>()])) as Record<
    TalliedKind,
    Map<number, Bucket>
  >;

  /** Adds content that is kept until `until` (Unix ms). */
  function count(kind: TalliedKind, content: unknown, until: number): void {
    const hour = Math.floor(until / HOUR);
    const bucket = buckets[kind].get(hour) ?? { count: 0, total: 0n };
    bucket.count++;
    bucket.total += BigInt(`0x${hash("sha256", JSON.stringify(content), "hex").slice(0, 32)}`);
    buckets[kind].set(hour, bucket);
  }

  return {
    add(item) {
      switch (item.kind) {
        case "session": {
          const past = item.associations.map(({ at, after, fields, isRotation }) => [at, after, isRotation, ...fields]);
          const hasRetained = item.requests > 0 || item.data !== undefined;
          const until = purgeAfter(item.session, hasRetained, times);
          if (item.data !== undefined && item.data.json !== NO_DATA) {
            const { json, changedAt } = item.data;
            count("data", [item.session.handle, json, changedAt], item.session.expiresAt);
          }
          return count("sessions", [...factsOf(item.session), past, item.requests], until);
        }
        case "records": {
          const until = purgeAfter(item.session, true, times);
          for (const [i, record] of item.records.entries()) {
            count("records", [item.session.handle, item.first + i, ...partsOf(record)], until);
          }
          return;
        }
        case "answer": {
          // The session is left out, because some engines do not store it with the response.
          const { key, fingerprint: request, response: answer } = item.idempotent;
          const until = item.storedAt + times.answerLife;
          return count("answers", [key, request, answer, item.storedAt], until);
        }
        case "key":
          return count("keys", partsOfKey(item.key), Number.POSITIVE_INFINITY);
        case "secrets":
          for (const { base64, createdAt } of item.secrets) {
            count("secrets", [base64, createdAt], Number.POSITIVE_INFINITY);
          }
          return;
        case "audit":
          return count("audit", [item.entry.sequence, item.entry.hash], Number.POSITIVE_INFINITY);
        case "endpoint": {
          const { id, revision, secrets } = item.endpoint;
          return count("webhooks", [id, revision, secrets], Number.POSITIVE_INFINITY);
        }
        case "delivery": {
          const { endpointId, delivery, body } = item;
          const { id, state, attempts, queuedAt, dueAt, finishedAt } = delivery;
          const until = finishedAt === null ? Number.POSITIVE_INFINITY : finishedAt + DELIVERY_RETENTION_MS;
          return count("deliveries", [endpointId, id, state, attempts, queuedAt, dueAt, body], until);
        }
        case "floor":
      }
    },
    sum(kind, now) {
      const kept = [...buckets[kind]].filter(([hour]) => hour * HOUR > now);
      const total = kept.reduce((sum, [, bucket]) => sum + bucket.total, 0n);
      return {
        count: kept.reduce((sum, [, bucket]) => sum + bucket.count, 0),
        checksum: BigInt.asUintN(Number(CHECKSUM_BITS), total).toString(16).padStart(32, "0"),
      };
    },
  };
}

function factsOf(session: Session): unknown[] {
  const { handle, generation, lastActiveAt, expiresAt, ended, profile, label } = session;
  const ids = idFields.map((field) => session[field]);
  return [handle, generation, lastActiveAt, expiresAt, ended, ...ids, profile, label];
}

function partsOf(record: RequestRecord): unknown[] {
  const { method, path, status, startedAt, durationMs, service, attributes } = record;
  const sorted = Object.entries(attributes).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [method, path, status, startedAt, durationMs, service, sorted];
}

function partsOfKey(key: ApiKey): unknown[] {
  const { id, hash: hashed, role, customerId, agentId, createdAt, expiresAt, revokedAt } = key;
  return [id, hashed, role, customerId, agentId, createdAt, expiresAt, revokedAt];
}
