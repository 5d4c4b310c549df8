import type { SigningSecret } from "../../../session/id.ts";
import type { ApiKey, ApiKeyUse } from "../../ports/credentials.ts";
import type { Argument } from "../connection/connection.ts";
import type { Operation } from "../engine.ts";
import { type Script, scripts } from "../scripts/scripts.ts";

/** A secret with its bytes as Base64. */
export interface EncodedSecret {
  readonly base64: string;
  readonly createdAt: number;
}

/** Reads all API keys, oldest first. */
export async function readApiKeys(operation: Operation): Promise<readonly ApiKey[]> {
  const [texts, uses] = await Promise.all([
    readApiKeyTexts(operation),
    operation.command("hgetall", operation.keys.apiKeyUses),
  ]);
  const usedAt = uses as Readonly<Record<string, string>>;
  return texts
    .map((text) => {
      const key = JSON.parse(text) as ApiKey;
      const lastUsedAt = usedAt[key.id];
      return inOrder(key, lastUsedAt === undefined ? null : Number(lastUsedAt));
    })
    .toSorted((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
}

/** Reads the API keys as stored. */
export async function readApiKeyTexts(operation: Operation): Promise<readonly string[]> {
  return (await operation.command("hvals", operation.keys.apiKeys)) as string[];
}

/** Stores an API key; overwrites a stored one unless that is revoked. */
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

/** Removes the API keys of a customer; returns their number. */
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

/** Restores missing API keys, unless any was changed since `revision`; returns how many. */
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

/** Reads the secrets as stored, newest first. */
export async function readSecretTexts(operation: Operation): Promise<readonly string[]> {
  const { secrets } = operation.keys;
  return (await operation.command("lrange", secrets, 0, -1)) as string[];
}

/** Adds secrets, newest first, before the stored ones, or replaces those. */
export async function addSecrets(
  operation: Operation,
  secrets: readonly EncodedSecret[],
  isReplacement: boolean,
): Promise<void> {
  const names = [operation.keys.state, operation.keys.secrets];
  const args = [isReplacement ? 1 : 0, ...secrets.map(encodeSecret)];
  await operation.change(scripts.addSecrets, names, args);
}

/** Runs a script over the state and the API keys. */
function changeApiKeys(operation: Operation, script: Script, args: Argument[]): Promise<unknown> {
  const names = [operation.keys.state, operation.keys.apiKeys];
  return operation.change(script, names, args);
}

/** Encodes a secret as it is stored. */
export function encodeSecret({ base64, createdAt }: EncodedSecret): string {
  return `${createdAt} ${base64}`;
}

/** Sorts the members of an API key, as scripts change their order. Keys from earlier releases have no successor. */
function inOrder(
  key: Omit<ApiKey, "successorId"> & Partial<ApiKey>,
  lastUsedAt: number | null,
): ApiKey {
  const { id, hash, role, customerId, agentId, createdAt, expiresAt, revokedAt } = key;
  const { successorId = null } = key;
  return {
    ...{ id, hash, role, customerId, agentId },
    ...{ createdAt, expiresAt, revokedAt, lastUsedAt, successorId },
  };
}
