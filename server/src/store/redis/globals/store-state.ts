import { createHash, randomBytes } from "node:crypto";
import { SECRET_BYTES } from "../../../session/id.ts";
import { StoreOpenError } from "../../open-error.ts";
import type { Argument } from "../connection/connection.ts";
import type { Operation } from "../engine.ts";
import type { KeyNames } from "../layout/key-names.ts";
import { scripts } from "../scripts/scripts.ts";
import { encodeSecret } from "./credentials.ts";
import { parseRepair, type RepairState } from "./shard-losses.ts";

/** The store as a process knows it from earlier heartbeats. */
export interface KnownStore {
  /** Secrets in their stored form, newest first. */
  readonly secrets: readonly string[];
  /** API keys in their stored form. */
  readonly apiKeys: readonly string[];
  /** Number of audit entries at the last heartbeat. If there are fewer now, some are missing. */
  readonly auditEntries: number;
  /** Revision of API keys and secrets. */
  readonly revision: number;
  /** The clock high-water mark: the latest stored time, Unix ms. */
  readonly highWaterMark: number;
}

/** The result of a heartbeat. */
export interface Pulse {
  /** Revision, which increases with each change of API keys or secrets. */
  readonly revision: number;
  /** Clock high-water mark before the heartbeat, Unix ms. */
  readonly highWaterMark: number;
  /** Time on the clock of Redis, Unix ms. */
  readonly serverTime: number;
  /** Hash of the oldest secret; `""` without secrets. It identifies the store, because added secrets are newer. */
  readonly oldestSecret: string;
  readonly hasState: boolean;
  /** Whether the stored data are an older copy of the known store. */
  readonly isOlder: boolean;
  readonly apiKeys: number;
  readonly auditEntries: number;
  /** Whether all shards of the cluster have markers (`shard-watch.ts`). */
  readonly isMarked: boolean;
  /** Time of the last loss of shards on the clock of Redis, Unix ms; 0 if there was none. */
  readonly lostAt: number;
  /** How far the index entries that were lost are written again. */
  readonly repair: RepairState;
}

/** The part of a heartbeat's result that identifies a store. */
export type StoreIdentity = Pick<Pulse, "oldestSecret" | "hasState">;

/** Maximum difference (ms) between the clock of a process and that of Redis. */
export const CLOCK_TOLERANCE = 60_000;
/** Time (ms) by which the mark may be behind the known one, because a crash of Redis may lose the last seconds. */
const MARK_TOLERANCE = 10_000;
/** Version of the stored format that this release writes. */
const LAYOUT = "2";
/** Version in which the claims of visits have other key names (`sessions/old-claims.ts`). */
const LAYOUT_WITH_OLD_CLAIMS = "1";
/** Stands for the layout while claims are being moved, so that no release that knows only one of the two forms starts. */
const LAYOUT_OF_MOVE = "1 to 2";

/** Returns the hash of the oldest secret, which identifies the store. `secrets` are ordered newest first. */
export function oldestSecretOf(secrets: readonly string[]): string {
  return createHash("sha1")
    .update(secrets.at(-1) ?? "")
    .digest("hex");
}

/** Which claims of visits the store has: the present ones; old ones that have to be moved; or a move of old ones has begun. */
export type Claims = "present" | "old" | "moving";

const claimsByLayout: ReadonlyMap<string, Claims> = new Map([
  [LAYOUT, "present"],
  [LAYOUT_WITH_OLD_CLAIMS, "old"],
  [LAYOUT_OF_MOVE, "moving"],
]);

/**
 * Initializes the store if it is new. Returns which claims it has (`sessions/old-claims.ts`). Throws `StoreOpenError` if
 * the data have an unknown layout or no secrets.
 */
export async function initStore(operation: Operation): Promise<Claims> {
  const base64 = randomBytes(SECRET_BYTES).toString("base64");
  const secret = encodeSecret({ base64, createdAt: operation.now });
  const args = [LAYOUT, secret, operation.now, CLOCK_TOLERANCE];
  const layout = await operation.run(scripts.initStore, stateNames(operation), args);
  const claims = claimsByLayout.get(String(layout));
  if (claims !== undefined) return claims;
  if (layout === "no secrets") throw new StoreOpenError("incomplete", noSecretsText(operation.keys));
  const message = `The data in Redis has the layout ${String(layout)}, and this release knows ${LAYOUT}: run the release that wrote it.`;
  throw new StoreOpenError("unknown-schema", message);
}

/** Stores that claims are being moved, or that all are moved. */
export async function noteMove(operation: Operation, isDone: boolean): Promise<void> {
  await operation.write("hset", operation.keys.state, "layout", isDone ? LAYOUT : LAYOUT_OF_MOVE);
}

/**
 * Sends a heartbeat. Advances the high-water mark to the time of the operation, unless this time or the wall clock
 * differs too much from the clock of Redis (`CLOCK_TOLERANCE`). Writes nothing if the store is another one than
 * `known`. The heartbeat is a `change` (`StepKind`) with `known`, and a `read` without `known`.
 */
export async function heartbeat(operation: Operation, known?: KnownStore): Promise<Pulse> {
  const wall = operation.engine.options.wall();
  const args = heartbeatArgs(operation, operation.now, wall, known);
  const names = heartbeatNames(operation);
  return pulseIn(
    known === undefined
      ? await operation.run(scripts.heartbeat, names, args)
      : await operation.change(scripts.heartbeat, names, args),
  );
}

/** Advances the high-water mark to `mark`, which is that of the store whose data are being imported. */
export async function advanceHighWaterMark(operation: Operation, mark: number): Promise<void> {
  const args = heartbeatArgs(operation, mark, "", undefined);
  await operation.change(scripts.heartbeat, heartbeatNames(operation), args);
}

/** Returns the time of the last heartbeat of a server as text, or `null` if there was none. */
export async function readServedAt(operation: Operation): Promise<string | null> {
  return readField(operation, "served");
}

/** Reads the data that identify the store. Writes nothing. */
export async function identifyStore(operation: Operation): Promise<StoreIdentity> {
  const [layout, oldest] = await Promise.all([
    readField(operation, "layout"),
    operation.command("lrange", operation.keys.secrets, -1, -1),
  ]);
  const secrets = oldest as string[];
  const oldestSecret = secrets.length === 0 ? "" : oldestSecretOf(secrets);
  return { oldestSecret, hasState: layout !== null };
}

/**
 * Restores the state or the secrets from memory. Restores nothing and returns false if both are gone, or if the secrets
 * are those of another store.
 */
export async function restoreStore(operation: Operation, known: KnownStore): Promise<boolean> {
  const args = [LAYOUT, known.revision, known.highWaterMark, ...known.secrets];
  const names = [...stateNames(operation), operation.keys.losses];
  return (await operation.change(scripts.restoreState, names, args)) === 1;
}

/** Stores that all shards of the cluster have markers. */
export async function noteMarkedShards(operation: Operation): Promise<void> {
  await operation.write("hset", operation.keys.state, "marked", 1);
}

/** Returns the clock high-water mark: the latest stored time, Unix ms. */
export async function readHighWaterMark(operation: Operation): Promise<number> {
  return Number(await readField(operation, "floor"));
}

/** Returns the cursor of an import that is not complete yet, or `null` if there is none. */
export async function readImportCursor(operation: Operation): Promise<string | null> {
  return readField(operation, "move");
}

/** Stores the cursor of an import; `null` if the import is complete. */
export async function setImportCursor(operation: Operation, cursor: string | null): Promise<void> {
  const { state } = operation.keys;
  if (cursor === null) await operation.write("hdel", state, "move");
  else await operation.write("hset", state, "move", cursor);
}

function stateNames({ keys }: Operation): string[] {
  return [keys.state, keys.secrets];
}

function heartbeatNames({ keys }: Operation): string[] {
  return [keys.state, keys.secrets, keys.apiKeys, keys.audit];
}

function heartbeatArgs(
  operation: Operation,
  now: number,
  wall: number | "",
  known: KnownStore | undefined,
): Argument[] {
  const identity = known === undefined ? "" : oldestSecretOf(known.secrets);
  const seen = [known?.revision ?? 0, known?.highWaterMark ?? 0];
  const isServing = operation.engine.options.purpose === "serve" ? 1 : 0;
  return [now, wall, CLOCK_TOLERANCE, identity, ...seen, MARK_TOLERANCE, isServing];
}

async function readField(operation: Operation, field: string): Promise<string | null> {
  const value = await operation.command("hget", operation.keys.state, field);
  return value as string | null;
}

function pulseIn(reply: unknown): Pulse {
  const [revision, mark, serverTime, oldestSecret = "", state, older, apiKeys, auditEntries, ...shards] =
    reply as string[];
  const [marked, lost, repaired, repair] = shards;
  return {
    revision: Number(revision),
    highWaterMark: Number(mark),
    serverTime: Number(serverTime),
    oldestSecret,
    hasState: state === "1",
    isOlder: older === "1",
    apiKeys: Number(apiKeys),
    auditEntries: Number(auditEntries),
    isMarked: marked === "1",
    lostAt: Number(lost),
    repair: parseRepair(lost, repaired, repair),
  };
}

function noSecretsText({ secrets, state }: KeyNames): string {
  return `The key ${secrets} is missing in Redis and the rest of the data is there: it was evicted or deleted. A server that still runs restores it. Otherwise restore a copy of Redis' data, or delete the key ${state} to start over, which makes all earlier session ids invalid.`;
}
