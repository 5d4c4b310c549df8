import type { Clock } from "../runtime/clock.ts";
import type { IdIssuer, VerifiedId } from "../session/id.ts";
import { expiryOf, type Lifetimes } from "../session/lifetime.ts";
import { isWithin, type Scope } from "../session/permissions.ts";
import { type Identity, isRecognized, noIdentity, type Session } from "../session/session.ts";
import { wasUnowned } from "../session/timeline.ts";
import { noTraits } from "../session/traits.ts";
import type { IdempotentRequest } from "../store/ports/idempotency.ts";
import type { RecordStore } from "../store/ports/records.ts";
import type { AssociationRequest, SessionStore } from "../store/ports/sessions.ts";

/** The settings of rotation (contract.md#rule-9). */
export interface RotationSettings {
  /** `always`: also an update that brings the first person of a session (`isFirstPerson`); `asked`: only with `rotate`. */
  readonly rotateOnRecognition: "asked" | "always";
  /** How long (ms) a retired id still gets the answer of an anonymous session. */
  readonly rotationGrace: number;
}

/**
 * A session as the holder of its retired id sees it during the grace (contract.md#rule-9): anonymous, as it was. Its
 * generation is that of the retired id.
 */
export class RetiredSession {
  readonly session: Session;

  constructor(session: Session, generation: number, lifetimes: Lifetimes) {
    const { createdAt, lastActiveAt } = session;
    const past = { ...session, ...noIdentity, ...noTraits, generation };
    // The present expiry would show that the session is recognized, or which profile it has.
    this.session = { ...past, expiresAt: expiryOf(past, createdAt, lastActiveAt, lifetimes) };
  }
}

/** The parts that rotation works with. */
export interface RotationParts {
  readonly store: Pick<SessionStore, "find" | "rotatedAt"> & Pick<RecordStore, "readRecordPage">;
  readonly ids: Pick<IdIssuer, "sign">;
  readonly clock: Clock;
  readonly lifetimes: Lifetimes;
  readonly rotation: RotationSettings;
}

/** An update that rotates. The session must have the generation of the caller's id. */
type RotatingUpdate = VerifiedId & Pick<AssociationRequest, "ids" | "traits" | "scope">;

/** Gives sessions new ids, and answers the retired ones during the grace (contract.md#rule-9). */
export class Rotation {
  readonly #parts: RotationParts;

  constructor(parts: RotationParts) {
    this.#parts = parts;
  }

  /** Returns whether an update with these ids rotates the session although it does not ask for it. */
  rotatesUnasked(verified: VerifiedId, ids: Identity): boolean | Promise<boolean> {
    const mayBe = this.#parts.rotation.rotateOnRecognition === "always" && isRecognized(ids);
    return mayBe && this.#isRotatedBy(verified, ids);
  }

  /**
   * Signs the next id of a session, and returns it with the request by which the session gets it and the ids of the update
   * in one step. With an idempotency key, the id is stored as the response.
   */
  requestFor(
    update: RotatingUpdate,
    key: Omit<IdempotentRequest, "response"> | undefined,
  ): { readonly id: string; readonly request: AssociationRequest } {
    const { ids, clock } = this.#parts;
    const now = clock();
    const id = ids.sign(update.handle, update.generation + 1, now);
    const idempotent = key && { key: key.key, fingerprint: key.fingerprint, response: id };
    return { id, request: { ...update, now, rotate: true, ...(idempotent && { idempotent }) } };
  }

  /**
   * Returns the live session as it was when it had this lower generation. Returns `undefined` if the grace is over, or if
   * the session was out of the scope even then.
   */
  async useRetired(session: Session, generation: number, scope: Scope): Promise<RetiredSession | undefined> {
    const { store, clock, lifetimes } = this.#parts;
    const { rotationGrace } = this.#parts.rotation;
    if (rotationGrace === 0) return undefined;
    const { handle } = session;
    const rotatedAt = await store.rotatedAt(handle, generation);
    const now = clock();
    if (rotatedAt === undefined || now - rotatedAt >= rotationGrace) return undefined;
    if (!isWithin(session.customerId, scope)) {
      // The session may belong to a customer only since then: so it was within every scope.
      const page = await store.readRecordPage({ handle, scope: "everyone", after: 0, limit: 1, now });
      if (page === undefined || !wasUnowned(page.life, generation)) return undefined;
    }
    return new RetiredSession(session, generation, lifetimes);
  }

  /**
   * Returns whether these ids bring the first person of the session. If the id is retired, the result is true too: then
   * the update is refused, unless it repeats the one that has retired the id.
   */
  async #isRotatedBy(verified: VerifiedId, ids: Identity): Promise<boolean> {
    const session = await this.#parts.store.find(verified.handle);
    return isFirstPerson(session, ids) || session.generation !== verified.generation;
  }
}

/**
 * Returns whether `ids` have the first customer of a session, or the first agent of an anonymous one. The first customer
 * of an agent's session counts, because the agent before may know the id. An agent who joins a customer does not: the
 * customer would not get the new id.
 */
function isFirstPerson(session: Session, ids: Identity): boolean {
  return session.customerId === null && (ids.customerId !== null || session.agentId === null);
}
