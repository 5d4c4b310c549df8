import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { type AddressRange, parseRange } from "../../src/addresses.ts";
import type { Config } from "../../src/config/config.ts";
import { startIssuer } from "../support/issuer.ts";
import type { RawResponse } from "../support/raw-http.ts";
import { MINUTE } from "../support/sessions.ts";
import { openApp } from "./apps.ts";
import { type Host, startHost } from "./callers.ts";
import { type DocumentedOperation, type Mode, operationsOf } from "./description.ts";
import { bodyOf, takes } from "./requests.ts";

/** Servers of one mode. */
export interface Hosts {
  readonly usual: Host;
  /** No change may wait for the disk, so each is refused. */
  readonly overloaded: Host;
  /** Its `/forward-auth` makes no sessions. */
  readonly demanding: Host;
  /** Every client gets one answer an hour. */
  readonly limited: Host;
}

const anHour = { count: 1, period: 60 * MINUTE };
const once: Partial<Config> = {
  trustedProxies: [parseRange("127.0.0.1") as AddressRange],
  perAddress: { creates: anHour, misses: anHour, requests: anHour },
};

/** Starts the servers of each of these modes. */
export async function startHosts(
  modes: readonly Mode[],
  common: Partial<Config> = {},
): Promise<ReadonlyMap<Mode, Hosts>> {
  const hosts = new Map<Mode, Hosts>();
  for (const mode of modes) {
    hosts.set(mode, {
      usual: await startHost(mode, { config: common }),
      overloaded: await startHost(mode, { config: { ...common, maxPendingWrites: 0 } }),
      demanding: await startHost(mode, { config: { ...common, forwardAuth: "required" } }),
      limited: await startHost(mode, { config: { ...common, ...once } }),
    });
  }
  return hosts;
}

type Provoke = (operation: DocumentedOperation, hosts: Hosts) => Promise<RawResponse>;

/** How each code is provoked; every request is right but for that. */
export const provocations: Readonly<Record<string, Provoke>> = {
  "invalid-request": (operation, { usual }) => {
    if (operation.id === "recordRequests")
      return usual.ask(operation, { body: '{"method":"GET"}' });
    if (operation.id === "endSessions") return usual.ask(operation, { body: "{}" });
    if (["listSessions", "readAudit"].includes(operation.id)) {
      return usual.ask(operation, { query: "limit=0" });
    }
    if (operation.mode === "key" && !takes(operation, "gkc_customerId")) {
      return usual.ask(operation, { headers: { "x-api-key": "a second key" } });
    }
    return usual.ask(operation, {
      headers: takes(operation, "gkc_customerId")
        ? { gkc_customerId: "one", "gkc-customerId": "another" }
        : { Host: "elsewhere.example" },
    });
  },
  "already-exists": async (operation, { usual }) => {
    const body = JSON.stringify({ visitId: randomUUID() });
    assert.equal((await usual.ask(createOf(operation), { body })).status, 200);
    return usual.ask(operation, { body });
  },
  "nothing-to-associate": (operation, { usual }) => usual.ask(operation),
  "session-not-found": (operation, { usual }) =>
    usual.ask(operation, {
      inPath: "undefined",
      headers: { gkc_customerId: "customer-4711" },
      ...bodyOf(operation, 0),
    }),
  "not-found": (operation, { usual }) => usual.ask(operation, { inPath: "nothing.js" }),
  "body-too-large": (operation, { usual }) =>
    operation.id === "recordRequests"
      ? usual.ask(operation, { headers: { "Content-Length": "9000000" } })
      : usual.ask(operation, { body: JSON.stringify({ visitId: "v".repeat(17_000) }) }),
  "unsupported-media-type": (operation, { usual }) =>
    usual.ask(operation, { body: "visitId=1", headers: { "Content-Type": "text/plain" } }),
  "request-timeout": async ({ mode, method, path }) => {
    await using opened = await openApp(mode, { late: true });
    const answer = await opened.ask(method, path.replace("{sessionId}", opened.newId()));
    return method === "HEAD" ? { ...answer, body: "" } : answer;
  },
  "credential-required": (operation, { usual }) => usual.ask(operation, { as: "nobody" }),
  "invalid-credential": (operation, { usual }) => usual.ask(operation, { as: "stranger" }),
  "identity-mismatch": (operation, { usual }) =>
    usual.ask(operation, { as: "customer", headers: { gkc_customerId: "somebody-else" } }),
  "role-not-permitted": (operation, { usual }) =>
    usual.ask(operation, {
      as: ["metrics", "listSessions"].includes(operation.id) ? "customer" : "reporter",
    }),
  "session-required": (operation, { demanding }) => demanding.ask(operation),
  "request-under-way": askAtOnce,
  "idempotency-key-reused": async (operation, { usual }) => {
    const headers = { "Idempotency-Key": randomUUID() };
    if (operation.id === "updateSession") {
      const asked = { headers: { ...headers, gkc_customerId: "one" }, inPath: "unknown" };
      await usual.ask(operation, asked);
      const other = { ...headers, gkc_customerId: "another" };
      return usual.ask(operation, { headers: other, inPath: "unknown" });
    }
    const inPath = await usual.session();
    await usual.ask(operation, { headers, inPath, ...bodyOf(operation, 0) });
    const other = { ...headers, gkc_customerId: "customer-4711" };
    return usual.ask(operation, { headers: other, inPath, ...bodyOf(operation, 1) });
  },
  "too-many-requests": async (operation, { limited }) => {
    const client = { "X-Forwarded-For": `2001:db8:${randomBytes(2).toString("hex")}::1` };
    await limited.ask(operation, { headers: client, inPath: "unknown" });
    return limited.ask(operation, { headers: client, inPath: "unknown" });
  },
  unavailable: async (operation, { overloaded }) => {
    const { method, id, mode } = operation;
    if (id === "metrics" && mode === "jwt") return askWithoutKeySet(operation);
    const createsNothing = codesOf(operation).includes("session-not-found");
    const reads =
      method === "HEAD" ||
      id === "readAudit" ||
      id.startsWith("forwardAuth") ||
      (id === "retrieveSession" && createsNothing);
    if (reads) return askUnreadable(operation);
    const headers = { gkc_customerId: "customer-4711" };
    // Retrieving stores nothing but what it has to create; recording waits if it is told to.
    const unknown = id === "retrieveSession" ? { inPath: "unknown" } : {};
    const records =
      id === "recordRequests"
        ? { ...bodyOf(operation, 0), query: "durable=true" }
        : bodyOf(operation, 0);
    const asked = { headers, ...unknown, ...records };
    return overloaded.ask(operation, asked);
  },
};

/** Nothing but a file that cannot be read keeps these from their answers. */
async function askUnreadable({ mode, method, path }: DocumentedOperation): Promise<RawResponse> {
  await using opened = await openApp(mode, { unreadable: true });
  const sessionId = opened.newId();
  const asked = path.replace("{sessionId}", sessionId);
  const answer = await opened.ask(method, asked, { "gkc-sessionid": sessionId });
  // The listeners leave the body out.
  return method === "HEAD" ? { ...answer, body: "" } : answer;
}

/** Who calls cannot be told without the keys of the issuer, of whom nothing is to be had. */
async function askWithoutKeySet(operation: DocumentedOperation): Promise<RawResponse> {
  await using issuer = await startIssuer();
  await issuer.vanish();
  await using host = await startHost(operation.mode, { config: { tokens: issuer.config } });
  return await host.ask(operation);
}

/** Sends one request many times at the same moment, until one of them comes while another waits. */
async function askAtOnce(operation: DocumentedOperation, { usual }: Hosts): Promise<RawResponse> {
  const isUpdate = operation.id === "updateSession";
  const inPath = isUpdate ? "unknown" : await usual.session();
  const ids = isUpdate ? { gkc_customerId: "customer-4711" } : {};
  for (let round = 1; ; round++) {
    const headers = { "Idempotency-Key": randomUUID(), ...ids };
    const asked = { headers, inPath, ...bodyOf(operation, 0) };
    const answers = await Promise.all(Array.from({ length: 8 }, () => usual.ask(operation, asked)));
    const late = answers.find(({ status }) => status === 409);
    if (late !== undefined) return late;
    if (round === 20 || !takes(operation, "Idempotency-Key")) return usual.ask(operation, asked);
  }
}

function codesOf({ answers }: DocumentedOperation): readonly string[] {
  return answers.flatMap(({ codes }) => codes);
}

function createOf({ mode }: DocumentedOperation): DocumentedOperation {
  const [create] = operationsOf(mode).filter(({ id }) => id === "createSession");
  assert.ok(create);
  return create;
}
