import type { Endpoint } from "../../src/session/webhook.ts";
import { START } from "../support/sessions.ts";

/** Returns an endpoint, changed by `more`. */
export function sampleEndpoint(id: string, more: Partial<Endpoint> = {}): Endpoint {
  return {
    id,
    url: "https://example.com/hook?token=1",
    types: null,
    description: "Läden 😀",
    isEnabled: true,
    disabledReason: null,
    createdAt: START,
    updatedAt: START,
    secrets: [{ secret: "whsec_c2VjcmV0", createdAt: START, expiresAt: null }],
    revision: 1,
    epoch: 1,
    startAfter: null,
    ...more,
  };
}
