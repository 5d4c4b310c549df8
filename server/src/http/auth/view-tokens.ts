import type { WallClock } from "../../runtime/clock.ts";
import type { Principal } from "../../session/permissions.ts";
import type { TokenSigner } from "../../session/signed-token.ts";
import type { CredentialSource, KeyRing } from "./api-key-auth.ts";

/** The session, or the customer, that a view token opens. */
export type View = { readonly handle: string } | { readonly customerId: string };

interface Content {
  readonly view: View;
  /** Id of the API key that asked for the token; `null` for other credentials. */
  readonly keyId: string | null;
  /** Unix ms. */
  readonly expiresAt: number;
}

/** Prefix of view tokens. */
const PREFIX = "vt_";
const BEARER = /^Bearer +vt_([\w-]{1,3000}\.[\w-]{43})$/i;

/** Creates and verifies view tokens (decision 0072). The server stores none. */
export class ViewTokens {
  readonly #signer: TokenSigner;
  readonly #wallClock: WallClock;
  readonly #keyRing: Pick<KeyRing, "find">;

  constructor(parts: { signer: TokenSigner; wallClock: WallClock; keyRing: Pick<KeyRing, "find"> }) {
    this.#signer = parts.signer;
    this.#wallClock = parts.wallClock;
    this.#keyRing = parts.keyRing;
  }

  /** Creates a token for `view`, valid for `validFor` ms. */
  create(principal: Principal, view: View, validFor: number): { readonly token: string; readonly expiresAt: number } {
    const expiresAt = this.#wallClock() + validFor;
    const keyId = "id" in principal ? String(principal.id) : null;
    return { token: `${PREFIX}${this.#signer.sign({ view, keyId, expiresAt } satisfies Content)}`, expiresAt };
  }

  /** Returns the caller with the view token of a request; `undefined` if there is none, or if it is not valid. */
  find(request: CredentialSource): Principal | undefined {
    const text = BEARER.exec(request.header("authorization") ?? "")?.[1];
    const content = text === undefined ? undefined : (this.#signer.open(text) as Content | undefined);
    if (content === undefined || this.#wallClock() >= content.expiresAt) return undefined;
    const { view, keyId } = content;
    if (keyId !== null && this.#keyRing.find(keyId) === undefined) return undefined;
    return "handle" in view
      ? { role: "reporter", customerId: null, agentId: null, view }
      : { role: "customer", customerId: view.customerId, agentId: null, view: { handle: null } };
  }
}
