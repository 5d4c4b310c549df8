import type { SigningSecret } from "../../../session/id.ts";
import type { ApiKey, ApiKeyUse, SignOut } from "../../ports/credentials.ts";
import type { Argument } from "../connection/connection.ts";
import type { Operation } from "../engine.ts";
import { type Script, scripts } from "../scripts/scripts.ts";

/** A signing secret whose bytes are encoded. */
export interface EncodedSecret {
  /** The bytes of the secret. */
  readonly base64: string;
  /** Unix ms. */
  readonly createdAt: number;
}

/** Reads all API keys, oldest first. */
export async function readApiKeys(operation: Operation): Promise<readonly ApiKey[]> {
  const [texts, uses] = await Promise.all([
    readApiKeyTexts(operation),
    operation.command("hgetall", operation.keys.apiKeyUses),
  ]);
  const usedAt = pairsIn(uses as readonly string[]);
  return texts
    .map((text) => {
      const key = JSON.parse(text) as ApiKey;
      const lastUsedAt = usedAt.get(key.id);
      return inOrder(key, lastUsedAt === undefined ? null : Number(lastUsedAt));
    })
    .toSorted((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
}

/** Returns the fields of a hash, or the members and scores of a sorted set, which a reply lists in turn. */
function pairsIn(reply: readonly string[]): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  for (let i = 0; i + 1 < reply.length; i += 2) pairs.set(reply[i] as string, reply[i + 1] as string);
  return pairs;
}

/** Reads all API keys in their stored form. */
export async function readApiKeyTexts(operation: Operation): Promise<readonly string[]> {
  return (await operation.command("hvals", operation.keys.apiKeys)) as string[];
}

/** Stores an API key. Overwrites a stored API key with the same id, unless that one is revoked. */
export async function addApiKey(operation: Operation, key: ApiKey): Promise<void> {
  await changeApiKeys(operation, scripts.addApiKey, [key.id, JSON.stringify(key)]);
  if (key.lastUsedAt !== null) {
    await noteApiKeyUse(operation, [{ id: key.id, at: key.lastUsedAt }]);
  }
}

export async function revokeApiKey(operation: Operation, id: string): Promise<boolean> {
  return (await changeApiKeys(operation, scripts.revokeApiKey, [id, operation.now])) === 1;
}

export async function replaceApiKey(
  operation: Operation,
  id: string,
  successor: ApiKey,
  expiresAt: number,
): Promise<boolean> {
  const args = [id, expiresAt, successor.id, JSON.stringify(successor)];
  return (await changeApiKeys(operation, scripts.replaceApiKey, args)) === 1;
}

/** Removes the API keys of a customer, and returns their number. */
export async function eraseApiKeys(operation: Operation, customerId: string): Promise<number> {
  const names = [operation.keys.state, operation.keys.apiKeys, operation.keys.apiKeyUses];
  const args = [customerId];
  return Number(await operation.change(scripts.eraseApiKeys, names, args));
}

export async function noteApiKeyUse(operation: Operation, uses: readonly ApiKeyUse[]) {
  if (uses.length === 0) return;
  const names = [operation.keys.apiKeys, operation.keys.apiKeyUses];
  const args = uses.flatMap(({ id, at }) => [id, at]);
  await operation.change(scripts.noteApiKeyUse, names, args);
}

/** Restores missing API keys, if the stored revision still is `revision`. Returns the number of restored API keys. */
export async function restoreApiKeys(
  operation: Operation,
  revision: number,
  texts: readonly string[],
): Promise<number> {
  return Number(await changeApiKeys(operation, scripts.restoreApiKeys, [revision, ...texts]));
}

/** Reads all secrets, newest first. */
export async function readSecrets(operation: Operation): Promise<readonly SigningSecret[]> {
  return (await readSecretTexts(operation)).map((text) => {
    const [createdAt, base64 = ""] = text.split(" ");
    return {
      bytes: new Uint8Array(Buffer.from(base64, "base64")),
      createdAt: Number(createdAt),
    };
  });
}

/** Reads all secrets in their stored form, newest first. */
export async function readSecretTexts(operation: Operation): Promise<readonly string[]> {
  const { secrets } = operation.keys;
  return (await operation.command("lrange", secrets, 0, -1)) as string[];
}

/** Adds secrets as the newest ones, or replaces all stored secrets. `secrets` are ordered newest first. */
export async function addSecrets(
  operation: Operation,
  secrets: readonly EncodedSecret[],
  isReplacement: boolean,
): Promise<void> {
  const names = [operation.keys.state, operation.keys.secrets];
  const args = [isReplacement ? 1 : 0, ...secrets.map(encodeSecret)];
  await operation.change(scripts.addSecrets, names, args);
}

export async function addSignOut(operation: Operation, { id, until }: SignOut): Promise<void> {
  const names = [operation.keys.state, operation.keys.signOuts];
  await operation.change(scripts.addSignOut, names, [id, until, operation.now]);
}

/** Reads all sign-outs from the console. */
export async function readSignOuts(operation: Operation): Promise<readonly SignOut[]> {
  const reply = await operation.command("zrange", operation.keys.signOuts, 0, -1, "WITHSCORES");
  return Array.from(pairsIn(reply as readonly string[]), ([id, until]) => ({ id, until: Number(until) }));
}

/** Runs a script whose keys are the state and the API keys. */
function changeApiKeys(operation: Operation, script: Script, args: Argument[]): Promise<unknown> {
  const names = [operation.keys.state, operation.keys.apiKeys];
  return operation.change(script, names, args);
}

/** Returns the stored form of a secret. */
export function encodeSecret({ base64, createdAt }: EncodedSecret): string {
  return `${createdAt} ${base64}`;
}

/**
 * Returns an API key with its members in a fixed order. Scripts decode and encode an API key to change it, which may
 * reorder the members. API keys that earlier releases stored have no `name` and no `successorId`.
 */
function inOrder(key: Omit<ApiKey, "name" | "successorId"> & Partial<ApiKey>, lastUsedAt: number | null): ApiKey {
  const { id, hash, role, customerId, agentId, createdAt, expiresAt, revokedAt } = key;
  const { name = null, successorId = null } = key;
  return {
    ...{ id, name, hash, role, customerId, agentId },
    ...{ createdAt, expiresAt, revokedAt, lastUsedAt, successorId },
  };
}
