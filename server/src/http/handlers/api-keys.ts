import type { ApiKeyPage, CreatedApiKey, RevokedApiKey, RotatedApiKey } from "@antechamber/client/protocol";
import type { Config } from "../../config/config.ts";
import type { WallClock } from "../../runtime/clock.ts";
import { type CredentialAdmin, faultOfApiKeyRequest } from "../../services/credentials.ts";
import { Refusal } from "../../session/errors.ts";
import { apiKeyInfo } from "../../wire/api-key-info.ts";
import { type ApiResponse, json } from "../api-response.ts";
import type { Call } from "../call.ts";
import { apiKeyQueryOf, readApiKeyBody, readKeyGraceMs } from "../parse/api-key-body.ts";
import { refuseFaults } from "../parse/bodies.ts";
import type { InitiatorOf } from "./administration.ts";

export interface ApiKeyHandlerParts {
  readonly credentials: CredentialAdmin;
  readonly wallClock: WallClock;
  readonly config: Pick<Config, "auth">;
  readonly initiatorOf: InitiatorOf;
}

/** Creates the handlers of API keys (contract.md#api-keys). The service writes the audit trail before it returns. */
export function createApiKeyHandlers({ credentials, wallClock, config, initiatorOf }: ApiKeyHandlerParts) {
  const idOf = ({ parameters: { keyId = "" } }: Call) => keyId;
  const by = ({ principal, request }: Call) => initiatorOf(principal, request);

  return {
    async list({ request }: Call): Promise<ApiResponse> {
      const { status, cursor, limit } = apiKeyQueryOf(request.query);
      const now = wallClock();
      const infos = (await credentials.listKeys()).map((key) => apiKeyInfo(key, now));
      // The cursor names the last key instead of counting keys, because one may be erased between two pages.
      const placeOf = ({ createdAt, id }: { readonly createdAt: string; readonly id: string }) => `${createdAt}.${id}`;
      const meant = infos
        .filter((info) => status === null || info.status === status)
        .toSorted((one, other) => (placeOf(one) < placeOf(other) ? -1 : 1));
      const rest = cursor === null ? meant : meant.filter((info) => placeOf(info) > cursor);
      const keys = rest.slice(0, limit);
      const last = rest.length > limit ? keys.at(-1) : undefined;
      const next = last === undefined ? null : placeOf(last);
      return json({ keys, next, total: meant.length, areUsed: config.auth === "key" } satisfies ApiKeyPage);
    },

    async create(call: Call): Promise<ApiResponse> {
      const { expiresAt, ...members } = await readApiKeyBody(call.request);
      const now = wallClock();
      const wanted = { ...members, validFor: expiresAt === null ? null : expiresAt - now };
      const fault = faultOfApiKeyRequest(wanted);
      if (fault?.name === "validFor") {
        refuseFaults([{ in: "body", name: "expiresAt", detail: "expiresAt has passed already." }]);
      }
      if (fault !== undefined) {
        const detail = `${fault.detail.charAt(0).toUpperCase()}${fault.detail.slice(1)}.`;
        refuseFaults([{ in: "body", name: fault.name, detail }]);
      }
      const { key, info } = await credentials.createKey(by(call), wanted, now);
      return json({ key, ...apiKeyInfo(info, now) } satisfies CreatedApiKey, 201);
    },

    async rotate(call: Call): Promise<ApiResponse> {
      const id = idOf(call);
      const grace = await readKeyGraceMs(call.request);
      const result = await credentials.rotateKey(by(call), { id, grace });
      if (result.outcome === "not-found") throw unknownKey();
      if (result.outcome === "rotated-before") {
        const detail = `The key was rotated already, and nothing was changed: its successor is ${result.successor}. Rotate that one if its secret was lost.`;
        throw new Refusal({ code: "invalid-request", errors: [{ in: "path", name: "keyId", detail }] });
      }
      const now = wallClock();
      const { made, replaced } = result;
      const body = { key: made.key, ...apiKeyInfo(made.info, now), replaced: apiKeyInfo(replaced, now) };
      return json(body satisfies RotatedApiKey, 201);
    },

    async revoke(call: Call): Promise<ApiResponse> {
      const id = idOf(call);
      if (!(await credentials.revokeKey(by(call), id))) throw unknownKey();
      const now = wallClock();
      const infos = (await credentials.listKeys()).map((key) => apiKeyInfo(key, now));
      const revoked = infos.find((info) => info.id === id);
      // It was erased with its customer at the same time.
      if (revoked === undefined) throw unknownKey();
      const hasAdministrator = infos.some(({ role, status }) => role === "administrator" && status === "valid");
      const warning = hasAdministrator || config.auth !== "key" ? null : noAdministrator;
      return json({ ...revoked, warning } satisfies RevokedApiKey);
    },
  };
}

const noAdministrator =
  "No valid key with the role administrator is left. Only the command line can create one now: antechamber keys create --role administrator.";

function unknownKey(): Refusal {
  return new Refusal({ code: "not-found", what: "api-key" });
}
