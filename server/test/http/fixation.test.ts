// runs: once

import assert from "node:assert/strict";
import { handleOf } from "../../src/session/id.ts";
import { type Answer, type Api, createApi, sessionOf } from "../support/api.ts";
import { onEachEngine } from "../support/engines.ts";
import { until } from "../support/eventually.ts";
import { newSession, pathsIn, post, requestsOf, visit, wholeTimeline } from "../support/records.ts";
import { SECOND } from "../support/sessions.ts";
import { sized } from "../support/tier.ts";

/*
 * Session fixation: an attacker gets a session, brings a victim to use its id, and waits for the victim to sign in. The
 * attacker may do with the id whatever the API allows, all the time.
 */

/** Number of rounds of polling before, during and after the sign-in. */
const POLLS = sized(3, 6, 500);
const ATTACKERS = 4;

/** Texts that only the victim may see: the ids of the sign-in, and the path of a page behind it. */
const secrets = { customerId: "victim-4711", agentId: "agent-of-victim", visitId: "visit-of-victim" };
const PAGE = "/account-of-victim";

/** A request of the attacker. */
interface Attack {
  readonly name: string;
  readonly send: () => Promise<Answer>;
  /** Whether it is refused from the sign-in on: it reads more than retrieving does, or changes the session. */
  readonly isRefused?: true;
}

/** Returns the requests that an attacker can send with the id, again and again. */
function attacks(api: Api, id: string): readonly Attack[] {
  const proxied = (headers: Readonly<Record<string, string>>, uri = "/attack") =>
    api.call("GET", "/forward-auth", { headers: { ...headers, "x-forwarded-uri": uri } });
  return [
    { name: "retrieve", send: () => api.retrieve(id) },
    { name: "retrieve as somebody", send: () => api.retrieve(id, { headers: { gkc_customerId: "attacker" } }) },
    { name: "head", send: () => api.call("HEAD", `/sessions/${id}`) },
    { name: "timeline", send: () => api.call("GET", `${requestsOf(id)}?limit=1000`), isRefused: true },
    { name: "record", send: () => post(api, id, visit("/attack")) },
    {
      name: "record durably",
      send: () => api.call("POST", `${requestsOf(id)}?durable=true`, { json: visit("/attack") }),
    },
    { name: "associate", send: () => api.update(id, { json: { globalVisitId: "of-attacker" } }), isRefused: true },
    { name: "update nothing", send: () => api.update(id), isRefused: true },
    { name: "cookie", send: () => proxied({ cookie: `sessionId=${id}` }) },
    { name: "header", send: () => proxied({ "gkc-sessionId": id }) },
    { name: "other header", send: () => proxied({ gkc_sessionId: id }) },
    { name: "query", send: () => proxied({}, `/attack?sessionId=${id}`) },
  ];
}

/** Returns requests that would end the victim's session, or make it another one, if they came before the sign-in. */
function lateAttacks(api: Api, id: string): readonly Attack[] {
  const signIn = (customerId: string, rotate: boolean) =>
    api.update(id, { headers: { gkc_customerId: customerId }, json: { rotate } });
  return [
    { name: "sign in", send: () => signIn("attacker", false), isRefused: true },
    { name: "rotate", send: () => signIn("", true), isRefused: true },
    { name: "sign in and rotate", send: () => signIn("attacker", true), isRefused: true },
    { name: "end", send: () => api.call("DELETE", `/sessions/${id}`), isRefused: true },
  ];
}

/** Returns everything in a response that a client can read, also in the claims of a signed identity. */
function contents({ headers, text }: Answer): string {
  const claims = headers.get("gkc-assertion")?.split(".")[1] ?? "";
  return `${[...headers].join("\n")}\n${Buffer.from(claims, "base64url").toString()}\n${text}`;
}

onEachEngine(({ test, serve }) => {
  for (const setting of ["asked", "always"] as const) {
    test(`rotateOnRecognition ${setting}: an attacker who knows the first id learns nothing of a sign-in`, async () => {
      await using server = await serve({
        frozen: true,
        config: {
          rotateOnRecognition: setting,
          forwardAuthSources: ["header", "cookie", "query"],
          assertionAudience: "shop",
          accessLog: "off",
          // The attackers record more than the default in the grace of the old id.
          maxRecords: 1_000_000,
        },
      });
      const api = createApi(server.url);
      const id = await newSession(api);
      const seen = new Set<string>();
      const state = { rounds: 0, isOver: false, hasSignedIn: false };
      const poll = async () => {
        while (!state.isOver) {
          const late = state.hasSignedIn ? lateAttacks(api, id) : [];
          for (const { name, send, isRefused = false } of [...attacks(api, id), ...late]) {
            const wasSignedIn = state.hasSignedIn;
            const answer = await send();
            seen.add(contents(answer));
            const isAllowed = !isRefused || !wasSignedIn || answer.status === 404;
            assert.ok(isAllowed, `${name}: ${answer.status} ${answer.text}`);
          }
          state.rounds++;
        }
      };
      const polling = Promise.all(Array.from({ length: ATTACKERS }, poll));
      const untilPolled = async () => {
        const from = state.rounds;
        const enough = until("enough was polled", () => state.rounds >= from + POLLS * ATTACKERS, 60_000);
        await Promise.race([enough, polling]);
      };
      await untilPolled();
      const { customerId, agentId, visitId } = secrets;
      const signedIn = sessionOf(
        await api.update(id, {
          headers: { gkc_customerId: customerId, gkc_agentId: agentId },
          json: { visitId, ...(setting === "asked" && { rotate: true }) },
        }),
      );
      state.hasSignedIn = true;
      const browse = async () => {
        const headers = { cookie: `sessionId=${signedIn.sessionId}`, "x-forwarded-uri": PAGE };
        const page = await api.call("GET", "/forward-auth", { headers });
        assert.equal(page.headers.get("gkc-customerid"), customerId);
      };
      await browse();
      await untilPolled();
      server.pass(10 * SECOND);
      await browse();
      await untilPolled();
      state.isOver = true;
      await polling;

      const shown = [...seen].join("\n");
      for (const secret of [...Object.values(secrets), PAGE, signedIn.sessionId]) {
        assert.ok(!shown.includes(secret), `the attacker has seen ${secret}`);
      }
      const ids = new Set(shown.match(/[\w-]{40}/g));
      const ofSession = [...ids].filter((one) => handleOf(one) === handleOf(id));
      assert.deepEqual(ofSession, [id], "the attacker has seen another id of the session");
      // The attack did not change the session, which has recorded what was sent with the old id in its grace.
      const present = sessionOf(await api.retrieve(signedIn.sessionId));
      assert.deepEqual([present.customerId, present.agentId, present.visitId], [customerId, agentId, visitId]);
      const paths = pathsIn(await wholeTimeline(api, signedIn.sessionId));
      assert.equal(paths.filter((path) => path === PAGE).length, 2);
    });
  }

  test("an attacker who rotates the session first keeps it, and the victim's sign-in does not reach it", async () => {
    await using server = await serve({ config: { accessLog: "off" } });
    const api = createApi(server.url);
    const winners = new Set<string>();
    for (let round = 0; round < POLLS * 5; round++) {
      const id = await newSession(api);
      const attack = () => api.update(id, { json: { rotate: true } });
      const signIn = () => api.update(id, { headers: { gkc_customerId: "victim" }, json: { rotate: true } });
      const [first, second] = round % 2 === 0 ? [attack, signIn] : [signIn, attack];
      const answers = await Promise.all([first(), second()]);
      const [attacked, signedIn] = round % 2 === 0 ? answers : answers.toReversed();
      assert.ok(attacked && signedIn);
      const [winner, loser] = attacked.status === 200 ? [attacked, signedIn] : [signedIn, attacked];
      assert.equal(loser.status, 404);
      assert.equal(sessionOf(winner).customerId, winner === attacked ? null : "victim");
      winners.add(winner === attacked ? "attacker" : "victim");
      assert.equal(sessionOf(await api.retrieve(id)).state, "anonymous");
    }
    assert.deepEqual([...winners].toSorted(), ["attacker", "victim"]);
  });
});
