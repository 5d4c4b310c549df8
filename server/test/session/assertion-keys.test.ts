import assert from "node:assert/strict";
import { randomBytes, sign, verify } from "node:crypto";
import { test } from "node:test";
import { createAssertionKeys } from "../../src/session/assertion-keys.ts";
import { MINUTE, SECOND, START } from "../support/sessions.ts";

const secretOf = (createdAt: number) => ({ bytes: randomBytes(32), createdAt });

test("a key follows from its secret, so that every process and every copy of the data has the same one", () => {
  const bytes = Uint8Array.from({ length: 32 }, (_, i) => i);
  const [key] = createAssertionKeys([{ bytes, createdAt: 0 }]).publishedAt(START);
  // Computed by the Python package cryptography: HKDF-SHA-256 without a salt, then Ed25519 and RFC 7638.
  assert.deepEqual(key?.jwk, {
    ...{ kty: "OKP", crv: "Ed25519", alg: "EdDSA", use: "sig" },
    x: "_IcRFhONE7Dbh6z-4-4paf0DK50ivPNLxfx7QsMvfCc",
    kid: "l036y32puVNHR9ANduXTxiiT99mOR9KMNOc5hvigfAU",
  });
});

test("a new key is published for eleven minutes before it signs, and the old one for two minutes after that", () => {
  const keys = createAssertionKeys([secretOf(START), secretOf(START - MINUTE)]);
  const [added, first] = keys.publishedAt(START);
  assert.ok(added !== undefined && first !== undefined);
  const signer = (after: number) => keys.signingAt(START + after).kid;
  const published = (after: number) => keys.publishedAt(START + after).map(({ kid }) => kid);
  for (const after of [0, 3 * SECOND, 11 * MINUTE - 1]) assert.equal(signer(after), first.kid);
  for (const after of [11 * MINUTE, 13 * MINUTE, 1000 * MINUTE]) assert.equal(signer(after), added.kid);
  for (const after of [0, 11 * MINUTE, 13 * MINUTE - 1]) assert.deepEqual(published(after), [added.kid, first.kid]);
  for (const after of [13 * MINUTE, 1000 * MINUTE]) assert.deepEqual(published(after), [added.kid]);
});

test("secrets that follow each other quickly leave no time without a published key that signs", () => {
  const secrets = [2 * MINUTE, MINUTE, MINUTE, 0].map((after) => secretOf(START + after));
  const keys = createAssertionKeys(secrets);
  const data = Buffer.from("data");
  for (let after = 0; after < 20 * MINUTE; after += 10 * SECOND) {
    const { kid, privateKey } = keys.signingAt(START + after);
    const signature = sign(null, data, privateKey);
    // Applications may have fetched the keys up to ten minutes before.
    for (const before of [0, 5 * MINUTE, 10 * MINUTE]) {
      const known = keys.publishedAt(START + after - before).find((key) => key.kid === kid);
      assert.ok(known !== undefined, `${kid} was not published ${before} ms before`);
      assert.ok(verify(null, data, { key: known.jwk, format: "jwk" }, signature));
    }
    const expiresAt = START + after + MINUTE;
    assert.ok(keys.publishedAt(expiresAt - 1).some((key) => key.kid === kid));
  }
});
