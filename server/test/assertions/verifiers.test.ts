// runs: outside
// needs: python3-cryptography, python3-jwt

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createApi, sessionOf } from "../support/api.ts";
import { serve } from "../support/in-process.ts";
import { utf8 } from "../support/raw-http.ts";
import { SECOND } from "../support/sessions.ts";

const verifiers = [
  ["jose", process.execPath, "verify-with-jose.ts"],
  // Debian's Python, which has the packages. Another one may be first on the path.
  ["PyJWT", "/usr/bin/python3", "verify_with_pyjwt.py"],
] as const;

for (const [name, program, script] of verifiers) {
  test(`${name} verifies assertions in another process, and refuses those that are changed, expired or for others`, async () => {
    await using server = await serve({ config: { assertionAudience: "shop" } });
    await using elsewhere = await serve({ config: { assertionAudience: "bank" } });
    await using past = await serve({ config: { assertionAudience: "shop" }, frozen: true });
    const assertionOf = async (url: string, headers: Readonly<Record<string, string>> = {}) => {
      const api = createApi(url);
      const { sessionId } = sessionOf(await api.create({ headers }));
      const answer = await api.call("GET", "/forward-auth", { headers: { "gkc-sessionId": sessionId } });
      return answer.headers.get("gkc-assertion") ?? "";
    };
    const verify = async (url: string, assertions: readonly string[]) => {
      const file = fileURLToPath(new URL(script, import.meta.url));
      const args = [file, `${url}/.well-known/jwks.json`, ...assertions];
      const { stdout } = await promisify(execFile)(program, args);
      return stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown);
    };

    const alice = await assertionOf(server.url, { "gkc-customerId": utf8("Älice"), "gkc-agentId": "7" });
    const nobody = await assertionOf(server.url);
    const [recognized, anonymous] = (await verify(server.url, [alice, nobody])) as Record<string, unknown>[];
    const claims = { iss: "antechamber", aud: "shop" };
    const { iat, exp, sid, ...rest } = recognized ?? {};
    assert.deepEqual(rest, { ...claims, sub: "Älice", act: { sub: "7" }, state: "recognized" });
    assert.equal(Number(exp), Number(iat) + 60);
    assert.match(String(sid), /^[\w-]{24}$/);
    assert.equal(anonymous?.["state"], "anonymous");
    assert.ok(anonymous !== undefined && !("sub" in anonymous) && !("act" in anonymous));

    const [head, body, signature] = alice.split(".") as [string, string, string];
    const changed = Buffer.from(body, "base64url").toString().replace("Älice", "Carol");
    const refused = [
      `${head}.${Buffer.from(changed).toString("base64url")}.${signature}`,
      `${head}.${body}.${nobody.split(".")[2]}`,
      `${Buffer.from('{"alg":"none","typ":"JWT"}').toString("base64url")}.${body}.`,
      await assertionOf(elsewhere.url),
    ];
    for (const result of await verify(server.url, refused)) assert.match(String(result), /^invalid: /);
    // Signed with a key of its own set, for another audience.
    assert.match(String(await verify(elsewhere.url, [refused[3] as string])), /audience|"aud"/i);
    past.step(-61 * SECOND);
    assert.match(String(await verify(past.url, [await assertionOf(past.url)])), /expired|"exp"/i);
  });
}
