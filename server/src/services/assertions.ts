import { sign } from "node:crypto";
import type { Clock, WallClock } from "../runtime/clock.ts";
import {
  ASSERTION_LIFE,
  type AssertionKey,
  type AssertionKeys,
  createAssertionKeys,
} from "../session/assertion-keys.ts";
import type { SigningSecret } from "../session/id.ts";
import { isRecognized, type Session } from "../session/session.ts";

/** How long (ms) a signed assertion is used again. So it is valid for at least 40 s when an application gets it. */
const REUSED_FOR = 20_000;
/** The maximum number of assertions in each of the two generations of the cache. An assertion takes about 600 bytes. */
const MAX_IN_GENERATION = 25_000;

export interface AssertionParts {
  /** The value of `iss`. */
  readonly issuer: string;
  /** The value of `aud`. */
  readonly audience: string;
  /** The secrets of the store, newest first. */
  readonly secrets: readonly SigningSecret[];
  /** The clock of the store's times, which decides about keys. */
  readonly clock: Clock;
  /** The clock by which assertions expire, as all credentials do. */
  readonly wallClock: WallClock;
}

/** A signed assertion of the session that has these ids. */
export interface Assertion extends Pick<Session, "customerId" | "agentId"> {
  /** The JWT. */
  readonly text: string;
  /** Unix ms of the wall clock. */
  readonly signedAt: number;
}

/**
 * Signs who a session is (contract.md#signed-identity). A signature takes as long as several requests, so each one is
 * used for 20 s.
 */
export class Assertions {
  readonly #parts: AssertionParts;
  #keys: AssertionKeys;
  /** The assertions since `#begunAt`, by the handles of their sessions. */
  #recent = new Map<string, Assertion>();
  /** The generation before. Whole generations are dropped, because removing single assertions is slow. */
  #earlier: ReadonlyMap<string, Assertion> = new Map();
  #begunAt = Number.NEGATIVE_INFINITY;

  constructor(parts: AssertionParts) {
    this.#parts = parts;
    this.#keys = createAssertionKeys(parts.secrets);
  }

  /** Replaces the secrets (newest first). */
  use(secrets: readonly SigningSecret[]): void {
    this.#keys = createAssertionKeys(secrets);
  }

  /** Returns the assertion of a session, which is valid for 40 to 60 s: the same object while it is used again. */
  of(session: Session): Assertion {
    const { wallClock, clock } = this.#parts;
    const { handle } = session;
    const now = wallClock();
    const cached = this.#recent.get(handle) ?? this.#earlier.get(handle);
    if (cached !== undefined && isFresh(cached, now) && isSameIdentity(cached, session)) return cached;
    const { customerId, agentId } = session;
    const text = this.#sign(handle, session, this.#keys.signingAt(clock()), now);
    const assertion = { customerId, agentId, text, signedAt: now };
    this.#keep(handle, assertion);
    return assertion;
  }

  /** Returns whether the assertion of an unchanged session is used again. */
  isFresh(assertion: Assertion): boolean {
    return isFresh(assertion, this.#parts.wallClock());
  }

  /** Returns the public keys: a JWK set (RFC 7517). */
  keySet(): { readonly keys: readonly AssertionKey["jwk"][] } {
    return { keys: this.#keys.publishedAt(this.#parts.clock()).map(({ jwk }) => jwk) };
  }

  #sign(handle: string, session: Session, { kid, privateKey }: AssertionKey, now: number): string {
    const { issuer: iss, audience: aud } = this.#parts;
    const { customerId, agentId } = session;
    const iat = Math.floor(now / 1000);
    const claims = {
      ...{ iss, aud, iat, exp: iat + ASSERTION_LIFE / 1000 },
      ...(customerId !== null && { sub: customerId }),
      sid: handle,
      ...(agentId !== null && { act: { sub: agentId } }),
      state: isRecognized(session) ? "recognized" : "anonymous",
    };
    const input = `${encoded({ alg: "EdDSA", typ: "JWT", kid })}.${encoded(claims)}`;
    return `${input}.${sign(null, Buffer.from(input), privateKey).toString("base64url")}`;
  }

  #keep(handle: string, assertion: Assertion): void {
    const { signedAt } = assertion;
    if (this.#recent.size >= MAX_IN_GENERATION || signedAt - this.#begunAt >= REUSED_FOR) {
      this.#earlier = this.#recent;
      this.#recent = new Map();
      this.#begunAt = signedAt;
    }
    this.#recent.set(handle, assertion);
  }
}

/** Also false for an assertion from the future: the wall clock was set back. */
function isFresh({ signedAt }: Assertion, now: number): boolean {
  return now >= signedAt && now - signedAt < REUSED_FOR;
}

function isSameIdentity(one: Assertion, other: Session): boolean {
  return one.customerId === other.customerId && one.agentId === other.agentId;
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}
