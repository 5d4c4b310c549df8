import { randomBytes } from "node:crypto";
import type { Clock, WallClock } from "../../runtime/clock.ts";
import { consoleRoles, type Principal, type Role } from "../../session/permissions.ts";
import type { TokenSigner } from "../../session/signed-token.ts";
import type { ApiKey, CredentialStore } from "../../store/ports/credentials.ts";
import type { CredentialSource, KeyRing } from "./api-key-auth.ts";
import { type ConsoleCookie, isFromConsole } from "./console-cookie.ts";
import type { SignOuts } from "./sign-outs.ts";

/** Time (ms) without activity after which the console asks for a sign-in again. */
export const CONSOLE_IDLE_MS = 30 * 60_000;
/** Maximum time (ms) from a sign-in to the next one, even with activity. */
const CONSOLE_TOTAL_MS = 8 * 60 * 60_000;
/** Minimum age (ms) at which a cookie is renewed. */
const RENEW_AFTER_MS = 60_000;

/** A person who is signed in to the console. Times are Unix ms. */
export interface ConsoleSession {
  /** Id of the sign-in. Renewed cookies keep it. */
  readonly id: string;
  /** Id of the API key; `null` if the person signed in with a token. */
  readonly keyId: string | null;
  /** The role and agent of a token; `null` with an API key, which is looked up at each request. */
  readonly as: { readonly role: Role; readonly agentId: string | null } | null;
  /** Name for people; `null` if there is none. */
  readonly name: string | null;
  readonly renewedAt: number;
  /** The latest end, however often the cookie is renewed. */
  readonly endsAt: number;
}

export interface ConsoleSessionParts {
  readonly signer: TokenSigner;
  readonly cookie: ConsoleCookie;
  readonly clock: Clock;
  readonly wallClock: WallClock;
  readonly keyRing: Pick<KeyRing, "find">;
  readonly signOuts: SignOuts;
  readonly store: Pick<CredentialStore, "addSignOut">;
}

/** The person of a request from the console. */
export interface SignedIn {
  readonly session: ConsoleSession;
  readonly principal: Principal | ApiKey;
}

/**
 * The people who are signed in to the console with a cookie (decision 0071). The cookie says who they are and is signed,
 * so the server stores nothing but sign-outs, until the cookie would have expired anyway. An API key is looked up at each
 * request: a revoked one ends its sign-ins at once.
 */
export class ConsoleSessions {
  readonly #parts: ConsoleSessionParts;

  constructor(parts: ConsoleSessionParts) {
    this.#parts = parts;
  }

  /** Begins a session, and returns its `Set-Cookie`. `endsAt` is the end of the credential (Unix ms), if it has one. */
  begin(
    request: CredentialSource,
    principal: Principal | ApiKey,
    { name, endsAt }: { readonly name: string | null; readonly endsAt: number | null },
  ): string {
    const now = this.#parts.wallClock();
    const key = "id" in principal ? principal : undefined;
    const session: ConsoleSession = {
      id: randomBytes(12).toString("base64url"),
      keyId: key?.id ?? null,
      as: key ? null : { role: principal.role, agentId: principal.agentId },
      name: key ? key.name : name,
      renewedAt: now,
      endsAt: Math.min(now + CONSOLE_TOTAL_MS, endsAt ?? Number.POSITIVE_INFINITY),
    };
    return this.#write(request, session);
  }

  /** Returns the person of a request; `undefined` if it is not from the console, or if nobody is signed in. */
  find(request: CredentialSource): SignedIn | undefined {
    if (!isFromConsole(request)) return undefined;
    for (const value of this.#parts.cookie.valuesIn(request)) {
      const session = this.#parts.signer.open(value) as ConsoleSession | undefined;
      const principal = session && this.#principalOf(session);
      if (session && principal) return { session, principal };
    }
    return undefined;
  }

  /** Returns `Set-Cookie` with a longer life; `undefined` if the cookie is fresh enough. */
  renew(request: CredentialSource, session: ConsoleSession): string | undefined {
    const now = this.#parts.wallClock();
    return now - session.renewedAt < RENEW_AFTER_MS ? undefined : this.#write(request, { ...session, renewedAt: now });
  }

  /**
   * Ends the session of a request, if there is one, and returns the `Set-Cookie` that removes it. Rejects with
   * `unavailable` if the store takes no writes; then only this process refuses copies of the cookie.
   */
  async end(request: CredentialSource): Promise<string> {
    const { clock, cookie, signOuts, store } = this.#parts;
    const found = this.find(request);
    if (found) {
      const now = clock();
      // The newest cookie of the session may be as new as this request.
      const signOut = { id: found.session.id, until: now + CONSOLE_IDLE_MS };
      signOuts.add(signOut, now);
      await store.addSignOut(signOut, now);
    }
    return cookie.remove(request);
  }

  #principalOf({ id, keyId, as, renewedAt, endsAt }: ConsoleSession): Principal | ApiKey | undefined {
    const now = this.#parts.wallClock();
    if (now >= endsAt || now - renewedAt >= CONSOLE_IDLE_MS || this.#parts.signOuts.has(id)) return undefined;
    const principal = keyId === null ? as && { ...as, customerId: null } : this.#parts.keyRing.find(keyId);
    return principal && consoleRoles.includes(principal.role) ? principal : undefined;
  }

  #write(request: CredentialSource, session: ConsoleSession): string {
    return this.#parts.cookie.set(request, this.#parts.signer.sign(session));
  }
}
