import {
  errors,
  type JWTHeaderParameters,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  type JWTVerifyResult,
  jwtVerify,
} from "jose";
import type { IssuerConfig } from "../../config/config.ts";
import type { WallClock } from "../../runtime/clock.ts";
import type { Jwks, VerificationKeys } from "./jwks.ts";

/** The allowed difference (seconds) between the clocks of the issuer and of this machine. */
export const LEEWAY_SECONDS = 30;

export interface VerificationParts {
  readonly config: IssuerConfig;
  readonly jwks: Pick<Jwks, "newerThan">;
  readonly wallClock: WallClock;
}

/** A token whose signature, algorithm, issuer, audience and times are valid. */
export interface VerifiedJwt {
  readonly payload: JWTPayload;
  readonly header: JWTHeaderParameters;
  readonly verifiedWith: VerificationKeys;
}

/**
 * Verifies a token of an issuer with `keys`, or with newer ones if its key is not among them. A claim in `required` must
 * be present. Rejects with an error of `jose` or a `TypeError` if the token is not valid.
 */
export async function verifyToken(
  token: string,
  keys: VerificationKeys,
  { config, jwks, wallClock }: VerificationParts,
  required: readonly string[],
): Promise<VerifiedJwt> {
  const options: JWTVerifyOptions = {
    issuer: config.issuer,
    audience: [...config.audiences],
    algorithms: [...config.algorithms],
    requiredClaims: [...required],
    clockTolerance: LEEWAY_SECONDS,
    currentDate: new Date(wallClock()),
  };
  try {
    return await verifyWith(token, keys, options);
  } catch (error) {
    if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
    // The issuer may have a new key, which is not cached yet.
    const newer = await jwks.newerThan(keys);
    if (newer === undefined) throw error;
    return await verifyWith(token, newer, options);
  }
}

async function verifyWith(token: string, keys: VerificationKeys, options: JWTVerifyOptions): Promise<VerifiedJwt> {
  const { payload, protectedHeader: header } = await verifyWithEach(token, keys.find, options);
  return { payload, header, verifiedWith: keys };
}

/** Verifies a token. If the token does not name its key (RFC 7515, section 4.1.4), tries each suitable key. */
async function verifyWithEach(
  token: string,
  keys: JWTVerifyGetKey,
  options: JWTVerifyOptions,
): Promise<JWTVerifyResult> {
  try {
    return await jwtVerify(token, keys, options);
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    for await (const key of error) {
      try {
        return await jwtVerify(token, key, options);
      } catch (mismatch) {
        if (!(mismatch instanceof errors.JWSSignatureVerificationFailed)) throw mismatch;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}
