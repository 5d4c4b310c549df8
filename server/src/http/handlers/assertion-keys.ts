import type { Assertions } from "../../services/assertions.ts";
import { type ApiResponse, apiFields } from "../api-response.ts";

/** Caches may keep the key set for 5 minutes, which is half of the time that keys are published before they sign. */
const headers = { ...apiFields, "cache-control": "public, max-age=300" };

/** Creates the handler of the public keys of assertions (contract.md#signed-identity). */
export function createKeySetHandler(assertions: Assertions): () => ApiResponse {
  return () => ({ status: 200, headers, body: JSON.stringify(assertions.keySet()) });
}
