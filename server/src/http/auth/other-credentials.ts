import { Refusal } from "../../session/errors.ts";
import type { Principal } from "../../session/permissions.ts";
import type { Authenticate, CredentialSource } from "./api-key-auth.ts";

/**
 * Adds credentials to those of the auth mode: `findOther` is asked about requests that `authenticate` refuses, so other
 * requests cost nothing more. It is never asked about a proxy's sub-request, whose headers are the client's own.
 */
export function withOtherCredentials(
  authenticate: Authenticate,
  findOther: (request: CredentialSource) => Principal | undefined,
): Authenticate {
  function retry(error: unknown, request: CredentialSource): Principal {
    const isRefused =
      error instanceof Refusal && ["credential-required", "invalid-credential"].includes(error.reason.code);
    const other = isRefused ? findOther(request) : undefined;
    if (other === undefined) throw error;
    return other;
  }

  return (request, isSubRequest) => {
    if (isSubRequest) return authenticate(request, isSubRequest);
    try {
      const principal = authenticate(request);
      return principal instanceof Promise ? principal.catch((error: unknown) => retry(error, request)) : principal;
    } catch (error) {
      return retry(error, request);
    }
  };
}
