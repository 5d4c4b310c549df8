import { createHash, randomBytes } from "node:crypto";
import { SECRET_BYTES } from "../../../session/id.ts";
import type { AuditEntry } from "../../audit-chain.ts";
import { StoreOpenError } from "../../open-error.ts";
import type { Key, KeyUse, Secret } from "../../store.ts";
import type { Connection, Operation } from "../connection/connection.ts";
import type { Keys } from "../layout/key-names.ts";
import { scripts } from "../scripts/scripts.ts";

/** What all processes share and no session has: keys, secrets, the floor of time, the note of a move. */
export interface Fixed {
  /** Makes what a new store has; refuses one of another layout with `StoreOpenError`. */
  born(operation: Operation): Promise<void>;
  /** Raises the floor to the time of the operation, unless that or the wall clock is far from Redis' clock. */
  beat(operation: Operation, wall: number): Promise<Pulse>;
  /**
   * Does the same like any other change (rejects if no change could be stored), for a process that knows the
   * store: writes nothing to another store.
   */
  prove(operation: Operation, wall: number, known: Known): Promise<Pulse>;
  /** When a serving process last sent a heartbeat, as text; `null` if none ever did. */
  served(operation: Operation): Promise<string | null>;
  /** Reads what identifies the store, without writing anything. */
  look(operation: Operation): Promise<Pick<Pulse, "oldestSecret" | "hasState">>;
  /** Raises the floor to that of another store. */
  raiseFloor(operation: Operation, floor: number): Promise<void>;
  /** The secrets as stored, newest first. */
  secretLines(operation: Operation): Promise<readonly string[]>;
  /** Restores the state or the secrets from memory if the other one still exists; returns false otherwise. */
  putBack(operation: Operation, known: Known): Promise<boolean>;
  /** The API keys as stored. */
  keyTexts(operation: Operation): Promise<readonly string[]>;
  /** Restores missing API keys, unless any was changed since `known`; returns how many. */
  putBackKeys(operation: Operation, known: Known): Promise<number>;
  floor(operation: Operation): Promise<number>;
  keys(operation: Operation): Promise<readonly ApiKey[]>;
  /** Stores a key; one that is there is at most revoked by it. */
  putKey(operation: Operation, key: ApiKey): Promise<void>;
  revokeKey(operation: Operation, id: string): Promise<boolean>;
  replaceKey(
    operation: Operation,
    id: string,
    successor: ApiKey,
    expiresAt: number,
  ): Promise<boolean>;
  eraseKeys(operation: Operation, customerId: string): Promise<number>;
  useKeys(operation: Operation, uses: readonly ApiKeyUse[]): Promise<void>;
  appendAudit(operation: Operation, entry: AuditEntry): Promise<boolean>;
  /** Entries of the audit trail by their index, as `LRANGE` counts. */
  audit(operation: Operation, from: number, to: number): Promise<readonly AuditEntry[]>;
  secrets(operation: Operation): Promise<readonly SigningSecret[]>;
  /** Puts secrets, newest first, in front of those that are there, or in their place. */
  putSecrets(
    operation: Operation,
    secrets: readonly SecretText[],
    isReplacement: boolean,
  ): Promise<void>;
  move(operation: Operation): Promise<string | null>;
  noteMove(operation: Operation, note: string | null): Promise<void>;
}

/** What a process knows about its store. */
export interface Known {
  /** The secrets as stored, newest first. */
  readonly lines: readonly string[];
  /** The API keys as stored. */
  readonly keyTexts: readonly string[];
  /** The minimum number of entries in the audit trail. */
  readonly auditEntries: number;
  readonly revision: number;
  /** Milliseconds since 1970. */
  readonly floor: number;
}

/** The result of a heartbeat. */
export interface Pulse {
  /** Increases with each change of keys and secrets. */
  readonly revision: number;
  /** Unix ms, before the heartbeat. */
  readonly floor: number;
  /** The clock of Redis, Unix ms. */
  readonly serverTime: number;
  /** Identifies a store: a hash of the oldest secret, which rotation keeps; `""` without secrets. */
  readonly oldestSecret: string;
  readonly hasState: boolean;
  /** Whether it is an older copy of the known store. */
  readonly isOlder: boolean;
  /** The numbers of API keys and of entries in the audit trail. */
  readonly apiKeys: number;
  readonly auditEntries: number;
}

/** Returns what identifies the store with these secrets. */
export function oldestSecretOf(lines: readonly string[]): string {
  return createHash("sha1")
    .update(lines.at(-1) ?? "")
    .digest("hex");
}

/** How many ms a clock may differ from that of Redis. */
export const CLOCK_TOLERANCE = 60_000;
/** How many ms the floor may fall back: a crash of Redis may lose the last seconds. */
const FLOOR_TOLERANCE = 10_000;

/** A secret as it moves. */
export interface SecretText {
  readonly base64: string;
  readonly createdAt: number;
}

/** What this program writes. */
const LAYOUT = "1";

/** Creates access to the fixed keys over `connection`; `isServing`: its heartbeats report that this process serves requests. */
export function createFixed(connection: Connection, keys: Keys, isServing: boolean): Fixed {
  async function useKeys(operation: Operation, uses: readonly ApiKeyUse[]): Promise<void> {
    if (uses.length === 0) return;
    const words = uses.flatMap(({ id, at }) => [id, at]);
    await connection.change(operation, scripts.noteApiKeyUse, [keys.keys, keys.uses], words);
  }

  function pulseWords(
    now: number,
    wall: number | "",
    known: Known | undefined,
  ): (string | number)[] {
    const { lines = [], revision = 0, floor = 0 } = known ?? {};
    const oldest = known === undefined ? "" : oldestSecretOf(lines);
    return [
      now,
      wall,
      CLOCK_TOLERANCE,
      oldest,
      revision,
      floor,
      FLOOR_TOLERANCE,
      isServing ? 1 : 0,
    ];
  }
  const fixedNames = [keys.state, keys.secrets];
  const beatNames = [...fixedNames, keys.keys, keys.audit];

  return {
    async born(operation) {
      const base64 = randomBytes(SECRET_BYTES).toString("base64");
      const secret = lineOf({ base64, createdAt: operation.now });
      const words = [LAYOUT, secret, operation.now, CLOCK_TOLERANCE];
      const layout = await connection.run(operation, scripts.initStore, fixedNames, words);
      if (layout === LAYOUT) return;
      if (layout === "no secrets") throw new StoreOpenError("incomplete", noSecrets(keys));
      const message = `The data in Redis has the layout ${String(layout)}, and this release knows ${LAYOUT}: run the release that wrote it.`;
      throw new StoreOpenError("unknown-schema", message);
    },
    beat: async (operation, wall) =>
      pulseIn(
        await connection.run(
          operation,
          scripts.heartbeat,
          beatNames,
          pulseWords(operation.now, wall, undefined),
        ),
      ),
    prove: async (operation, wall, known) =>
      pulseIn(
        await connection.change(
          operation,
          scripts.heartbeat,
          beatNames,
          pulseWords(operation.now, wall, known),
        ),
      ),
    async served(operation) {
      return (await connection.command(operation, "hget", keys.state, "served")) as string | null;
    },
    async look(operation) {
      const [layout, lines] = await Promise.all([
        connection.command(operation, "hget", keys.state, "layout"),
        connection.command(operation, "lrange", keys.secrets, -1, -1),
      ]);
      const oldest = lines as string[];
      const oldestSecret = oldest.length === 0 ? "" : oldestSecretOf(oldest);
      return { oldestSecret, hasState: layout !== null };
    },
    async raiseFloor(operation, floor) {
      await connection.change(
        operation,
        scripts.heartbeat,
        beatNames,
        pulseWords(floor, "", undefined),
      );
    },
    async secretLines(operation) {
      return (await connection.command(operation, "lrange", keys.secrets, 0, -1)) as string[];
    },
    async putBack(operation, { lines, revision, floor }) {
      const words = [LAYOUT, revision, floor, ...lines];
      return (await connection.change(operation, scripts.restoreState, fixedNames, words)) === 1;
    },
    async keyTexts(operation) {
      return (await connection.command(operation, "hvals", keys.keys)) as string[];
    },
    async putBackKeys(operation, { revision, keyTexts }) {
      const names = [keys.state, keys.keys];
      const words = [revision, ...keyTexts];
      return Number(await connection.change(operation, scripts.restoreApiKeys, names, words));
    },
    async floor(operation) {
      return Number(await connection.command(operation, "hget", keys.state, "floor"));
    },
    async keys(operation) {
      const [texts, uses] = await Promise.all([
        connection.command(operation, "hvals", keys.keys),
        connection.command(operation, "hgetall", keys.uses),
      ]);
      const usedAt = uses as Readonly<Record<string, string>>;
      return (texts as string[])
        .map((text) => {
          const key = JSON.parse(text) as ApiKey;
          const at = usedAt[key.id];
          return inOrder(key, at === undefined ? null : Number(at));
        })
        .toSorted((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
    },
    async putKey(operation, key) {
      const names = [keys.state, keys.keys];
      await connection.change(operation, scripts.addApiKey, names, [key.id, JSON.stringify(key)]);
      if (key.lastUsedAt !== null) await useKeys(operation, [{ id: key.id, at: key.lastUsedAt }]);
    },
    useKeys,
    async replaceKey(operation, id, successor, expiresAt) {
      const names = [keys.state, keys.keys];
      const words = [id, expiresAt, successor.id, JSON.stringify(successor)];
      return (await connection.change(operation, scripts.replaceApiKey, names, words)) === 1;
    },
    async eraseKeys(operation, customerId) {
      const names = [keys.state, keys.keys, keys.uses];
      return Number(await connection.change(operation, scripts.eraseApiKeys, names, [customerId]));
    },
    async appendAudit(operation, entry) {
      const words = [entry.sequence, entry.previous, entry.hash, JSON.stringify(entry)];
      return (
        (await connection.change(operation, scripts.appendAuditEntry, [keys.audit], words)) === 1
      );
    },
    async audit(operation, from, to) {
      const texts = await connection.command(operation, "lrange", keys.audit, from, to);
      return (texts as string[]).map((text) => JSON.parse(text) as AuditEntry);
    },
    async revokeKey(operation, id) {
      const names = [keys.state, keys.keys];
      const words = [id, operation.now];
      return (await connection.change(operation, scripts.revokeApiKey, names, words)) === 1;
    },
    async secrets(operation) {
      const lines = await connection.command(operation, "lrange", keys.secrets, 0, -1);
      return (lines as string[]).map((line) => {
        const [createdAt, base64 = ""] = line.split(" ");
        return {
          bytes: new Uint8Array(Buffer.from(base64, "base64")),
          createdAt: Number(createdAt),
        };
      });
    },
    async putSecrets(operation, secrets, isReplacement) {
      const names = [keys.state, keys.secrets];
      const words = [isReplacement ? 1 : 0, ...secrets.map(lineOf)];
      await connection.change(operation, scripts.addSecrets, names, words);
    },
    async move(operation) {
      return (await connection.command(operation, "hget", keys.state, "move")) as string | null;
    },
    async noteMove(operation, note) {
      if (note === null) await connection.write(operation, "hdel", keys.state, "move");
      else await connection.write(operation, "hset", keys.state, "move", note);
    },
  };
}

function pulseIn(reply: unknown): Pulse {
  const [revision, floor, serverTime, oldestSecret = "", state, older, apiKeys, auditEntries] =
    reply as string[];
  return {
    revision: Number(revision),
    floor: Number(floor),
    serverTime: Number(serverTime),
    oldestSecret,
    hasState: state === "1",
    isOlder: older === "1",
    apiKeys: Number(apiKeys),
    auditEntries: Number(auditEntries),
  };
}

function noSecrets({ secrets, state }: Keys): string {
  return `The key ${secrets} is missing in Redis and the rest of the data is there: it was evicted or deleted. A server that still runs restores it. Otherwise restore a copy of Redis' data, or delete the key ${state} to start over, which makes all earlier session ids invalid.`;
}

/**
 * Puts the members of a key in order: a script changes their order, and a key from an earlier release has no
 * successor.
 */
function inOrder(
  key: Omit<ApiKey, "successorId"> & Partial<ApiKey>,
  lastUsedAt: number | null,
): ApiKey {
  const { id, hash, role, customerId, agentId, createdAt, expiresAt, revokedAt } = key;
  const { successorId = null } = key;
  return {
    id,
    hash,
    role,
    customerId,
    agentId,
    createdAt,
    expiresAt,
    revokedAt,
    lastUsedAt,
    successorId,
  };
}

function lineOf({ base64, createdAt }: SecretText): string {
  return `${createdAt} ${base64}`;
}
