import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import { createIdIssuer, handleOf, isHandle, timeAndCount } from "../../src/session/id.ts";
import { START } from "../support/sessions.ts";

const secret = Uint8Array.from({ length: 32 }, (_, i) => i);
const HANDLE = "AaIH2SF7AQLw8fLz9PX29_j5";
const issuer = createIdIssuer([{ bytes: secret, createdAt: 0 }]);

// Computed with another implementation of HMAC-SHA-256: time START + 123, count 258, random f0 to f9, generation 7.
const KNOWN = "AaIH2SF7AQLw8fLz9PX29_j5B8gUp2cjWnQpKqdD";
// The same handle in generation 0, with a secret of 100 bytes in which byte i is 7i modulo 256.
const KNOWN_LONG = "AaIH2SF7AQLw8fLz9PX29_j5ABhFgRWoiQ66yKe-";

/** Returns the id that consists of the bytes `claim` and their MAC, as contract.md#session-ids says. */
function sign(claim: Buffer, key: Uint8Array): string {
  const mac = createHmac("sha256", key).update(claim).digest().subarray(0, 11);
  return Buffer.concat([claim, mac]).toString("base64url");
}

test("an id of the documented layout is verified, with its handle, generation, time and counter", () => {
  assert.deepEqual(issuer.verify(KNOWN), { handle: HANDLE, generation: 7 });
  assert.equal(handleOf(KNOWN), HANDLE);
  assert.ok(isHandle(HANDLE) && !isHandle(KNOWN));
  assert.deepEqual(timeAndCount(KNOWN), { createdAt: START + 123, count: 258 });
});

test("a secret longer than the hash's block is hashed first, as RFC 2104 says", () => {
  const long = Uint8Array.from({ length: 100 }, (_, i) => (7 * i) % 256);
  assert.deepEqual(createIdIssuer([{ bytes: long, createdAt: 0 }]).verify(KNOWN_LONG), {
    handle: HANDLE,
    generation: 0,
  });
  assert.equal(issuer.verify(KNOWN_LONG), undefined);
});

test("an issued id has 40 URL-safe characters: time, counter, random bytes, generation and their MAC", () => {
  const { id, handle, createdAt } = createIdIssuer([{ bytes: secret, createdAt: 0 }]).issue(START);
  assert.match(id, /^[A-Za-z0-9_-]{40}$/);
  const bytes = Buffer.from(id, "base64url");
  assert.equal(bytes.readUIntBE(0, 6), START);
  assert.equal(bytes.readUInt16BE(6), 0);
  assert.equal(bytes[18], 0);
  assert.equal(id, sign(bytes.subarray(0, 19), secret));
  assert.deepEqual([handle, createdAt], [id.slice(0, 24), START]);
});

test("the last byte of the handle can be given, and ten others are random", () => {
  const own = createIdIssuer([{ bytes: secret, createdAt: 0 }]);
  const seen = Array.from({ length: 18 }, () => new Set<number>());
  for (let i = 0; i < 3000; i++) {
    const { id, handle } = own.issue(START, 0x5a);
    assert.deepEqual(own.verify(id), { handle, generation: 0 });
    assert.ok(isHandle(handle));
    for (const [at, byte] of Buffer.from(handle, "base64url").entries()) seen[at]?.add(byte);
  }
  assert.deepEqual([...(seen[17] ?? [])], [0x5a]);
  const random = [7, ...Array.from({ length: 9 }, (_, i) => 8 + i)];
  // Of 256 values, 3,000 random bytes leave out none, or very few.
  for (const at of random) assert.ok((seen[at]?.size ?? 0) > 250, `byte ${at}`);
});

test("another issuer with the same secret verifies an id", () => {
  const { id, handle } = createIdIssuer([{ bytes: secret, createdAt: 0 }]).issue(START);
  assert.deepEqual(issuer.verify(id), { handle, generation: 0 });
});

test("2,000 ids under random secrets are verified only with their own secret", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 100 }), fc.integer({ min: 0, max: 2 ** 47 }), (key, now) => {
      const own = createIdIssuer([{ bytes: key, createdAt: 0 }]);
      const { id, handle } = own.issue(now);
      assert.deepEqual(own.verify(id), { handle, generation: 0 });
      assert.equal(issuer.verify(id), undefined);
    }),
    { numRuns: 2000 },
  );
});

test("changing any bit makes an id invalid", () => {
  const bytes = Buffer.from(KNOWN, "base64url");
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const forged = Buffer.from(bytes);
    forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.equal(issuer.verify(forged.toString("base64url")), undefined, `bit ${bit}`);
  }
});

const strange: Record<string, string> = {
  "the empty string": "",
  "an id cut by one character": KNOWN.slice(0, 39),
  "an id and one character more": `${KNOWN}A`,
  "the other base64 alphabet": KNOWN.replace("_", "/"),
  "a hyphen as plus": sign(Buffer.alloc(19, 0xfb), secret).replaceAll("-", "+"),
  padding: `${KNOWN}==`,
  "space around": ` ${KNOWN}`,
  "a line feed behind": `${KNOWN}\n`,
  "a line feed in place of the last character": `${KNOWN.slice(0, 39)}\n`,
  "percent encoding": KNOWN.replace("_", "%5F"),
  "other letter case": KNOWN.toLowerCase(),
  "the visitors' placeholder": "00000000-0000-0000-0000-0000000000",
  "a UUID": "6f1c1c0e-2f3b-4a52-9d61-0b6c8f1a9d10",
  undefined: "undefined",
  "40 characters beyond ASCII": "é".repeat(40),
  "40 characters, some of two units": "🦊".repeat(20),
  "a million characters": "A".repeat(1_000_000),
  "40 times the same letter": "A".repeat(40),
  "the MAC of nothing": Buffer.alloc(30).toString("base64url"),
};
for (const [name, text] of Object.entries(strange)) {
  test(`invalid: ${name}`, () => assert.equal(issuer.verify(text), undefined));
}

test("a character that only resembles one of the alphabet makes an id invalid, at any position", () => {
  for (const [at, character] of KNOWN.split("").entries()) {
    for (const distance of [0x80, 0x100, 0x4100]) {
      const other = String.fromCharCode(character.charCodeAt(0) + distance);
      assert.equal(issuer.verify(KNOWN.slice(0, at) + other + KNOWN.slice(at + 1)), undefined);
    }
  }
});

test("none of 10,000 random ids of the right form is valid", () => {
  for (let i = 0; i < 10_000; i++) {
    assert.equal(issuer.verify(randomBytes(30).toString("base64url")), undefined);
  }
});

test("verify returns undefined for every text that is no id", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
      assert.equal(issuer.verify(text), undefined);
    }),
    { numRuns: 2000 },
  );
});

test("ids of one millisecond have increasing counters, and after 4,096 the time of the next one", () => {
  const own = createIdIssuer([{ bytes: secret, createdAt: 0 }]);
  const made = Array.from({ length: 4097 }, () => own.issue(START).id);
  const places = made.map((id) => timeAndCount(id));
  assert.deepEqual(
    places.slice(0, 4096),
    Array.from({ length: 4096 }, (_, count) => ({ createdAt: START, count })),
  );
  assert.deepEqual(places[4096], { createdAt: START + 1, count: 0 });
  assert.equal(new Set(made).size, 4097);
  assert.ok(made.every((id) => own.verify(id) !== undefined));

  // The first id of the next millisecond does not reuse counter 0, which the 4,097th id has.
  assert.deepEqual(timeAndCount(own.issue(START + 1).id), { createdAt: START + 1, count: 1 });
  assert.deepEqual(timeAndCount(own.issue(START + 2).id), { createdAt: START + 2, count: 0 });
});

test("two ids never have the same time and counter, whatever the clock", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 200 }), (steps) => {
      const own = createIdIssuer([{ bytes: secret, createdAt: 0 }]);
      const made = steps.map((step) => own.issue(START + step).id.slice(0, 11));
      assert.equal(new Set(made).size, made.length);
    }),
    { numRuns: 300 },
  );
});

test("the random parts of ids of the same time differ in about half of their bits", () => {
  const one = createIdIssuer([{ bytes: secret, createdAt: 0 }]);
  const other = createIdIssuer([{ bytes: secret, createdAt: 0 }]);
  let different = 0;
  for (let i = 0; i < 500; i++) {
    const a = Buffer.from(one.issue(START).id, "base64url");
    const b = Buffer.from(other.issue(START).id, "base64url");
    for (let at = 8; at < 18; at++) {
      different += ((a[at] ?? 0) ^ (b[at] ?? 0)).toString(2).replaceAll("0", "").length;
    }
  }
  // Of 40,000 random bits, the standard deviation is 100: a deviation of 2,000 does not happen by chance.
  assert.ok(Math.abs(different - 20_000) < 2000, `${different} of 40,000 bits differ`);
});

test("the id of each generation is the signed handle and generation, and has the creation time of the handle", () => {
  const { id, handle } = issuer.issue(START);
  for (const generation of [0, 1, 255]) {
    const next = issuer.sign(handle, generation, START);
    assert.equal(next, sign(Buffer.concat([Buffer.from(handle, "base64url"), Buffer.from([generation])]), secret));
    assert.deepEqual(issuer.verify(next), { handle, generation });
    assert.equal(timeAndCount(next).createdAt, START);
  }
  assert.equal(issuer.sign(handle, 0, START), id);
});

test("an id is signed with the secret of the time at which it is signed, however old its session is", () => {
  const old = { bytes: secret, createdAt: 0 };
  const own = createIdIssuer([{ bytes: randomBytes(32), createdAt: START + 1 }, old]);
  const { handle } = own.issue(START);
  const next = own.sign(handle, 1, START + 60_000);
  assert.deepEqual(own.verify(next), { handle, generation: 1 });
  assert.equal(issuer.verify(next), undefined);
});

test("an id that was verified often is still refused once its secret is withdrawn", () => {
  const own = createIdIssuer([{ bytes: secret, createdAt: 0 }]);
  const { id } = own.issue(START);
  for (let i = 0; i < 5; i++) assert.ok(own.verify(id));
  own.use([{ bytes: randomBytes(32), createdAt: START }]);
  assert.equal(own.verify(id), undefined);
});

test("after a rotation the new secret signs and the old one still verifies", () => {
  const fresh = randomBytes(32);
  /** When the new secret begins to sign: before that, servers that have not read it yet would refuse its ids. */
  const heard = START + 1 + 3000;
  const own = createIdIssuer([{ bytes: secret, createdAt: 0 }]);
  const before = own.issue(START);
  own.use([
    { bytes: fresh, createdAt: START + 1 },
    { bytes: secret, createdAt: 0 },
  ]);
  const meanwhile = own.issue(heard - 1);
  const after = own.issue(heard);
  for (const { id, handle } of [before, meanwhile, after]) {
    assert.deepEqual(own.verify(id), { handle, generation: 0 });
  }
  assert.ok(issuer.verify(meanwhile.id), "signed under the old secret yet");
  assert.equal(issuer.verify(after.id), undefined, "signed under the new secret alone");
  own.use([{ bytes: fresh, createdAt: START + 1 }]);
  assert.equal(own.verify(before.id), undefined, "a withdrawn secret verifies nothing");
});

test("new ids that are signed with a replaced secret are invalid", () => {
  const old = { bytes: secret, createdAt: 0 };
  const thief = createIdIssuer([old]);
  const own = createIdIssuer([{ bytes: randomBytes(32), createdAt: START }, old]);
  const minute = 60_000;
  assert.ok(own.verify(thief.issue(START + minute).id), "servers may lag");
  assert.equal(own.verify(thief.issue(START + minute + 1).id), undefined);
});

test("an issuer refuses to work without a secret, or with a short one", () => {
  assert.throws(() => createIdIssuer([]), TypeError);
  assert.throws(() => createIdIssuer([{ bytes: new Uint8Array(31), createdAt: 0 }]), TypeError);
  assert.throws(
    () =>
      createIdIssuer([
        { bytes: secret, createdAt: 1 },
        { bytes: new Uint8Array(8), createdAt: 0 },
      ]),
    TypeError,
  );
});
