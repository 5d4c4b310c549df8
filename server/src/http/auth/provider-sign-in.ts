import {
  type AuthorizationServer,
  allowInsecureRequests,
  authorizationCodeGrantRequest,
  type Client,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  calculatePKCECodeChallenge,
  discoveryRequest,
  generateRandomCodeVerifier,
  generateRandomNonce,
  generateRandomState,
  None,
  processAuthorizationCodeResponse,
  processDiscoveryResponse,
  validateAuthResponse,
} from "oauth4webapi";
import type { Logger } from "pino";
import type { Config, TokenConfig } from "../../config/config.ts";
import type { Clock, WallClock } from "../../runtime/clock.ts";
import type { Principal } from "../../session/permissions.ts";
import type { Jwks } from "./jwks.ts";
import { principalOf } from "./jwt-auth.ts";
import { ClaimError } from "./jwt-rejections.ts";
import { verifyToken } from "./jwt-verification.ts";

export interface ProviderSignInParts {
  readonly client: NonNullable<Config["consoleClient"]>;
  /** The address of the console for browsers, without a slash at its end. */
  readonly consoleUrl: string;
  readonly tokens: TokenConfig;
  readonly jwks: Jwks;
  readonly clock: Clock;
  readonly wallClock: WallClock;
  readonly log: Pick<Logger, "warn">;
}

/** The values that the browser keeps during a sign-in. They prove that the same browser began and completed it. */
export interface PendingSignIn {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

/** The result of a sign-in. The reasons of a failure are shown by the page Sign-in. */
export type SignInResult =
  | {
      readonly outcome: "signed-in";
      readonly principal: Principal;
      readonly name: string | null;
      /** The end of the ID token, Unix ms. */
      readonly endsAt: number;
    }
  | { readonly outcome: "failed"; readonly reason: "refused" | "no-role" | "unavailable" };

/** Sign-in at the identity provider. Each method resolves, also when the provider is unavailable. */
export interface ProviderSignIn {
  /** Returns the address of the provider to which to redirect the browser; `undefined` if the provider is unavailable. */
  begin(): Promise<{ readonly location: string; readonly pending: PendingSignIn } | undefined>;
  /** Completes a sign-in with the parameters of the provider's redirect. */
  complete(parameters: URLSearchParams, pending: PendingSignIn): Promise<SignInResult>;
}

const TIMEOUT_MS = 5000;
/** Time (ms) for which the provider's metadata is used before it is fetched again. */
const METADATA_MAX_AGE_MS = 10 * 60_000;
const MAX_NAME_CHARACTERS = 100;

/**
 * Creates sign-in by the authorization code flow with PKCE (OpenID Connect Core, section 3.1; RFC 7636). The ID token says
 * who the person is and which role they have; it is verified like the tokens of callers, with the console's client id as
 * its audience.
 */
export function createProviderSignIn(parts: ProviderSignInParts): ProviderSignIn {
  const { client, consoleUrl, tokens, jwks, clock, wallClock, log } = parts;
  const issuer = new URL(tokens.issuer);
  const oauthClient: Client = { client_id: client.id };
  const redirectUri = `${consoleUrl}/callback`;
  let metadata: { readonly server: AuthorizationServer; readonly at: number } | undefined;
  let fetching: Promise<AuthorizationServer> | undefined;

  /** Options of a request: http is allowed only for an issuer on this machine, which the configuration has checked. */
  const requestOptions = () => ({
    signal: AbortSignal.timeout(TIMEOUT_MS),
    [allowInsecureRequests]: issuer.protocol === "http:",
  });

  /** Returns the provider's metadata. Requests without a credential cause it, so at most one fetch is under way. */
  async function serverOf(): Promise<AuthorizationServer> {
    if (metadata !== undefined && clock() - metadata.at < METADATA_MAX_AGE_MS) return metadata.server;
    fetching ??= fetchServer().finally(() => {
      fetching = undefined;
    });
    return await fetching;
  }

  async function fetchServer(): Promise<AuthorizationServer> {
    const response = await discoveryRequest(issuer, requestOptions());
    const server = await processDiscoveryResponse(issuer, response);
    metadata = { server, at: clock() };
    return server;
  }

  function clientAuth({ token_endpoint_auth_methods_supported: methods }: AuthorizationServer): ClientAuth {
    if (client.secret === null) return None();
    const isBasic = methods === undefined || methods.includes("client_secret_basic");
    return isBasic ? ClientSecretBasic(client.secret) : ClientSecretPost(client.secret);
  }

  /** Exchanges the code for an ID token, and verifies it. */
  async function exchange(parameters: URLSearchParams, { state, nonce, verifier }: PendingSignIn) {
    const server = await serverOf();
    const valid = validateAuthResponse(server, oauthClient, parameters, state);
    const response = await authorizationCodeGrantRequest(
      ...([server, oauthClient, clientAuth(server), valid, redirectUri, verifier, requestOptions()] as const),
    );
    const answer = await processAuthorizationCodeResponse(server, oauthClient, response, {
      expectedNonce: nonce,
      requireIdToken: true,
    });
    const config = { ...tokens, audiences: [client.id] };
    const verification = { config, jwks, wallClock };
    const { payload } = await verifyToken(answer.id_token ?? "", await jwks.keys(), verification, ["exp", "sub"]);
    return payload;
  }

  return {
    async begin() {
      const pending = {
        state: generateRandomState(),
        nonce: generateRandomNonce(),
        verifier: generateRandomCodeVerifier(),
      };
      try {
        const { authorization_endpoint: endpoint } = await serverOf();
        const url = new URL(endpoint ?? "");
        const query = {
          client_id: client.id,
          response_type: "code",
          redirect_uri: redirectUri,
          scope: client.scopes.join(" "),
          state: pending.state,
          nonce: pending.nonce,
          code_challenge: await calculatePKCECodeChallenge(pending.verifier),
          code_challenge_method: "S256",
        };
        for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
        return { location: url.href, pending };
      } catch (error) {
        log.warn(
          { err: error },
          "the identity provider of the console cannot be reached, or its metadata is not valid",
        );
        return undefined;
      }
    },

    async complete(parameters, pending) {
      try {
        const payload = await exchange(parameters, pending);
        const name = [payload["name"], payload["preferred_username"], payload["email"], payload.sub].find(isText);
        return {
          outcome: "signed-in",
          principal: principalOf(payload, tokens),
          name: name?.slice(0, MAX_NAME_CHARACTERS) ?? null,
          endsAt: (payload.exp ?? 0) * 1000,
        };
      } catch (error) {
        if (error instanceof ClaimError) {
          log.warn({ reason: error.message }, "a sign-in to the console is refused: the ID token names no role");
          return { outcome: "failed", reason: "no-role" };
        }
        log.warn({ err: error }, "a sign-in to the console failed");
        return { outcome: "failed", reason: metadata === undefined ? "unavailable" : "refused" };
      }
    },
  };
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
