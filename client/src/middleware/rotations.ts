import type { SessionInfo } from "../protocol.ts";
import type { Ids, SessionOptions, Transport } from "../transport.ts";
import { createSigner } from "./signer.ts";

/**
 * Rotates a session while it associates ids. Requests of one page that are in progress at the same time may all ask for
 * the same rotation; all of them get the same new id.
 */
export type RotateSession = (sessionId: string, ids: Ids, options: SessionOptions) => Promise<SessionInfo>;

/**
 * Creates the function that rotates sessions. It derives the Idempotency-Key of a rotation from `secret` and the
 * request, so that another request and another process of the application repeat a rotation whose response was lost.
 * Anyone who knows the secret and an old id can ask for the new id.
 */
export function createRotations(transport: Pick<Transport, "update">, secret: string): RotateSession {
  const underWay = new Map<string, Promise<SessionInfo>>();
  const signer = createSigner(secret);

  return async (sessionId, ids, options) => {
    const { agentId, customerId, visitId, globalVisitId } = ids;
    const { profile, label } = options;
    const request = [sessionId, agentId, customerId, visitId, globalVisitId, profile, label];
    const idempotencyKey = await signer.sign(JSON.stringify(request.map((value) => value ?? "")));
    for (let other = underWay.get(idempotencyKey); other; other = underWay.get(idempotencyKey)) {
      const info = await other.catch(() => undefined);
      if (info) return info;
    }
    const rotation = transport
      .update(sessionId, ids, { profile, label, rotate: true, idempotencyKey })
      .finally(() => underWay.delete(idempotencyKey));
    underWay.set(idempotencyKey, rotation);
    return await rotation;
  };
}
