import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { ErasureReceipt, Problem, SessionInfo, SessionList } from "@antechamber/client/protocol";
import { handleOf } from "../../src/session/id.ts";
import { serve, type TestServer } from "../support/in-process.ts";
import { exchange, type RawResponse, requestText, utf8 } from "../support/raw-http.ts";

let server: TestServer;
before(async () => {
  server = await serve();
});
after(() => server[Symbol.asyncDispose]());

/** Sends PUT /sessions/new with exactly these header lines. */
const create = (...headers: string[]): Promise<RawResponse> =>
  exchange(server.port, requestText("PUT /sessions/new", headers));

const session = (answer: RawResponse): SessionInfo => {
  assert.equal(answer.status, 200, answer.body);
  return JSON.parse(answer.body) as SessionInfo;
};

/** Asserts that the response refuses headers, and returns the names of these. */
const faults = (answer: RawResponse): string[] => {
  assert.equal(answer.status, 400, answer.body);
  assert.equal(answer.headers.get("content-type"), "application/problem+json");
  const problem = JSON.parse(answer.body) as Problem;
  assert.equal(problem.code, "invalid-request");
  const errors = problem.errors ?? [];
  for (const error of errors) {
    assert.deepEqual(Object.keys(error), ["in", "name", "detail"]);
    assert.equal(error.in, "header");
    assert.ok(problem.detail.includes(error.detail), "the detail tells what to change");
  }
  return errors.map(({ name }) => name);
};

const spellings = {
  agentId: ["gkc_agentId", "gkc-agentId", "gkc_agentid", "GKC-AGENTID", "Gkc_AgentID"],
  customerId: ["gkc_customerId", "gkc-customerId", "gkc_customerid", "GKC-CUSTOMERID"],
} as const;
for (const [field, names] of Object.entries(spellings)) {
  for (const name of names) {
    test(`${name} sets ${field}`, async () => {
      const found = session(await create(`${name}: Value`));
      assert.equal(found[field as keyof typeof spellings], "Value");
      assert.equal(found.state, "recognized");
    });
  }

  const [underscored, dashed] = names;
  test(`${field}: both spellings with the same value are accepted`, async () => {
    const found = session(await create(`${underscored}: same`, `${dashed}: same`));
    assert.equal(found[field as keyof typeof spellings], "same");
  });

  test(`${field}: an empty spelling is ignored if the other has a value`, async () => {
    for (const lines of [
      [`${underscored}: one`, `${dashed}:`],
      [`${underscored}:`, `${dashed}: one`],
    ]) {
      assert.equal(session(await create(...lines))[field as keyof typeof spellings], "one");
    }
  });

  test(`${field}: spellings that contradict each other are refused`, async () => {
    const answer = await create(`${underscored}: one`, `${dashed}: two`);
    assert.deepEqual(faults(answer), [underscored]);
    const otherCase = await create(`${underscored}: one`, `${dashed}: ONE`);
    assert.deepEqual(faults(otherCase), [underscored]);
  });

  for (const name of [underscored, dashed]) {
    test(`${name} twice is refused, whatever the values and the case of the name`, async () => {
      for (const [one, two] of [
        ["one", "two"],
        ["same", "same"],
        ["", "value"],
        ["value", ""],
        ["one,", "two"],
      ]) {
        const answer = await create(`${name}: ${one}`, `${name.toUpperCase()}: ${two}`);
        assert.deepEqual(faults(answer), [name], `"${one}" and "${two}"`);
      }
    });

    test(`${name} with a comma and a space is refused, because it looks like two headers`, async () => {
      assert.deepEqual(faults(await create(`${name}: one, two`)), [name]);
    });

    test(`${name} may contain a comma`, async () => {
      const found = session(await create(`${name}: Doe,John`));
      assert.equal(found[field as keyof typeof spellings], "Doe,John");
    });
  }
}

test("one refusal lists all faulty headers", async () => {
  const answer = await create(`gkc_agentId: ${"x".repeat(257)}`, "gkc-customerId: a, b");
  assert.deepEqual(faults(answer), ["gkc_agentId", "gkc-customerId"]);
});

const values = [
  "Grüße",
  "日本語",
  "🦊",
  "e\u0301",
  "Привет, мир".replace(", ", " "),
  "a b  c",
  `"quoted" <b> & ' ; \\ % # ?`,
  "\u00A0",
  "\u0100\u0200",
  "ÿ",
  "\uFEFFmarked",
  "__proto__",
];
for (const value of values) {
  test(`a header's bytes are UTF-8: ${value}`, async () => {
    const answer = await create(utf8(`gkc_customerId: ${value}`), utf8(`gkc-agentId: ${value}`));
    const found = session(answer);
    assert.equal(found.customerId, value);
    assert.equal(found.agentId, value);
    const again = await exchange(
      server.port,
      requestText(`POST /sessions/${found.sessionId}`, [utf8(`gkc-customerId: ${value}`)]),
    );
    assert.equal(session(again).customerId, value);
  });
}

test("an id is the same in a header in UTF-8 as in a body", async () => {
  const visitId = "Besuch ü 🦊";
  const { sessionId } = session(
    await exchange(
      server.port,
      requestText(
        "PUT /sessions/new",
        ["Content-Type: application/json", utf8(`gkc_customerId: ${visitId}`)],
        utf8(JSON.stringify({ visitId })),
      ),
    ),
  );
  const found = session(await exchange(server.port, requestText(`GET /sessions/${sessionId}`)));
  assert.equal(found.visitId, visitId);
  assert.equal(found.customerId, visitId);
});

for (const name of ["gkc_customerId", "gkc-customerId", "gkc_agentId", "gkc-agentId"]) {
  test(`${name} is the same id in ISO-8859-1 and in UTF-8`, async () => {
    for (const text of ["müller", "ÿ", "¡olé!", "Ðe±"]) {
      const { sessionId, ...found } = session(await create(`${name}: ${text}`));
      assert.ok([found.customerId, found.agentId].includes(text), text);
      for (const header of [`${name}: ${text}`, utf8(`${name}: ${text}`)]) {
        const update = requestText(`POST /sessions/${sessionId}`, [header]);
        assert.equal(session(await exchange(server.port, update)).sessionId, sessionId, header);
        const retrieval = requestText(`GET /sessions/${sessionId}`, [header]);
        assert.equal(session(await exchange(server.port, retrieval)).sessionId, sessionId, header);
      }
    }
  });
}

test("an id in a path or a query is read like one in a header, percent-encoded or not", async () => {
  const customerId = "müll%er+ & 100%";
  const latin1 = (text: string) => text.replaceAll("ü", "%FC");
  const escaped = encodeURIComponent(customerId);
  const raw = escaped.replace("%C3%BC", "ü");
  for (const written of [escaped, raw, utf8(raw), latin1(raw), escaped.toLowerCase()]) {
    const { sessionId } = session(await create(utf8(`gkc-customerId: ${customerId}`)));
    const list = await exchange(server.port, requestText(`GET /sessions?customerId=${written}`));
    const { sessions } = JSON.parse(list.body) as SessionList;
    assert.deepEqual(
      sessions.map((found) => found.handle),
      [handleOf(sessionId)],
      written,
    );
    const erasure = await exchange(server.port, requestText(`DELETE /customers/${written}`));
    assert.equal((JSON.parse(erasure.body) as ErasureReceipt).sessions, 1, written);
  }
});

test("both spellings of a header may have the same value in different encodings", async () => {
  const answer = await create("gkc_customerId: müller", utf8("gkc-customerId: müller"));
  assert.equal(session(answer).customerId, "müller");
});

const bytes: Record<string, string> = {
  "a lone continuation byte": "a\x80",
  "a cut sequence": "\xf0\x9f\xa6",
  "beyond Unicode": "\xf4\x90\x80\x80",
  "a dash of Windows-1252": "a\x96b",
};
for (const [name, value] of Object.entries(bytes)) {
  test(`bytes that are controls in ISO-8859-1 are refused: ${name}`, async () => {
    assert.deepEqual(faults(await create(`gkc_customerId: ${value}`)), ["gkc_customerId"]);
  });
}

for (const [name, value] of Object.entries({
  "a tab": "a\tb",
  DEL: "a\x7fb",
  "a C1 control in UTF-8": utf8("a\u0085b"),
})) {
  test(`a header with ${name} is refused`, async () => {
    const answer = await create(`gkc_customerId: ${value}`);
    assert.equal(answer.status, 400);
    // The HTTP server itself refuses bytes that no header may contain, without a code.
    const { code } = JSON.parse(answer.body) as { code?: string };
    if (code !== undefined) assert.deepEqual(faults(answer), ["gkc_customerId"]);
  });
}

test("an id in a header may have 256 characters, however many bytes they take, but not 257", async () => {
  for (const character of ["x", "é", "🦊"]) {
    const value = character.repeat(256);
    assert.equal(session(await create(utf8(`gkc_customerId: ${value}`))).customerId, value);
    const longer = await create(utf8(`gkc_customerId: ${value}${character}`));
    assert.deepEqual(faults(longer), ["gkc_customerId"]);
  }
});

test("a byte order mark is accepted as an id of one character", async () => {
  const answer = await create(utf8("gkc_customerId: \uFEFF"));
  assert.equal(session(answer).customerId, "\uFEFF");
});

test("spaces around a value are not part of it", async () => {
  const answer = await create("gkc_customerId:   spaced   ", "gkc_agentId:tight");
  assert.equal(session(answer).customerId, "spaced");
  assert.equal(session(answer).agentId, "tight");
});

test("a retrieval with invalid headers is refused before it creates a session", async () => {
  const created = async () => {
    const { body } = await exchange(server.port, requestText("GET /metrics"));
    return /^antechamber_sessions_created_total (\d+)/m.exec(body)?.[1];
  };
  const so = await created();
  const request = requestText("GET /sessions/unknown", ["gkc_customerId: a", "gkc-customerId: b"]);
  assert.deepEqual(faults(await exchange(server.port, request)), ["gkc_customerId"]);
  assert.notEqual(so, undefined);
  assert.equal(await created(), so);
});

test("HEAD with invalid headers is refused, without a body", async () => {
  const request = requestText("HEAD /sessions/unknown", ["gkc_customerId: a", "gkc_customerId: b"]);
  const answer = await exchange(server.port, request, { head: true });
  assert.equal(answer.status, 400);
});

test("headers that are too large for the server are refused without a 5xx", async () => {
  const answer = await create(`X-Filler: ${"x".repeat(200_000)}`).catch(() => undefined);
  assert.ok(answer === undefined || answer.status === 431 || answer.status === 400);
});
