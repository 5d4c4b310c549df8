import type { Logger } from "pino";
import type { Config } from "../../config/config.ts";
import type { Clock, WallClock } from "../../runtime/clock.ts";
import type { TokenSigner, TokenSigners } from "../../session/signed-token.ts";
import type { CredentialStore } from "../../store/ports/credentials.ts";
import type { KeyRing } from "./api-key-auth.ts";
import { type ConsoleCookie, createConsoleCookie } from "./console-cookie.ts";
import { ConsoleSessions } from "./console-sessions.ts";
import type { KeySets } from "./key-sets.ts";
import { createProviderSignIn, type ProviderSignIn } from "./provider-sign-in.ts";
import type { SignOuts } from "./sign-outs.ts";

/** The sign-in to the console. */
export interface ConsoleAccess {
  readonly sessions: ConsoleSessions;
  /** `undefined` if people do not sign in at an identity provider. */
  readonly provider: ProviderSignIn | undefined;
  /** The cookie of a sign-in at the identity provider that is under way, and what signs it. */
  readonly pendingCookie: ConsoleCookie;
  readonly pendingSigner: TokenSigner;
  readonly wallClock: WallClock;
}

export interface ConsoleAccessParts {
  readonly config: Pick<Config, "consoleUrl" | "consoleClient" | "tokens">;
  readonly signers: TokenSigners;
  readonly keyRing: Pick<KeyRing, "find">;
  readonly keySets: KeySets;
  readonly signOuts: SignOuts;
  readonly store: Pick<CredentialStore, "addSignOut">;
  readonly clock: Clock;
  readonly wallClock: WallClock;
  readonly log: Logger;
}

/** Time that a person has at the identity provider. */
const PENDING_SECONDS = 600;

export function createConsoleAccess(parts: ConsoleAccessParts): ConsoleAccess {
  const { config, signers, keyRing, keySets, signOuts, store, clock, wallClock, log } = parts;
  const { consoleUrl, consoleClient: client, tokens } = config;
  const cookie = createConsoleCookie({ name: "antechamber-console", sameSite: "Strict", consoleUrl });
  return {
    sessions: new ConsoleSessions({ signer: signers.console, cookie, clock, wallClock, keyRing, signOuts, store }),
    provider:
      client === undefined || tokens === undefined || consoleUrl === null
        ? undefined
        : createProviderSignIn({
            client,
            consoleUrl,
            tokens,
            jwks: keySets.at(tokens.keySetUrl),
            clock,
            wallClock,
            log,
          }),
    // The identity provider redirects from another site, and then browsers send no `Strict` cookie.
    pendingCookie: createConsoleCookie({
      ...{ name: "antechamber-sign-in", sameSite: "Lax", maxAgeSeconds: PENDING_SECONDS, consoleUrl },
    }),
    pendingSigner: signers.signIn,
    wallClock,
  };
}
