import assert from "node:assert/strict";
import { test } from "node:test";
import fastifySession from "@fastify/session";
import expressSession from "express-session";
import { antechamberSession as expressStore } from "../../src/stores/express-session.ts";
import { antechamberSession as fastifyStore } from "../../src/stores/fastify-session.ts";

const options = { url: "http://127.0.0.1:8080" };

test("the session package of the other framework is refused at the start", () => {
  assert.throws(() => expressStore(fastifySession as never, options), /the function that express-session exports/);
  assert.throws(() => fastifyStore(expressSession as never, options), /the plugin that @fastify\/session exports/);
});

test("a missing or unknown option is refused with what is needed", () => {
  assert.throws(
    () => expressStore(expressSession, options)(undefined as never),
    /needs the options of express-session/,
  );
  const misspelt = { ...options, ttl: 5 };
  assert.throws(() => expressStore(expressSession, misspelt), /has no option ttl, only url, key, timeout/);
  assert.throws(() => fastifyStore(fastifySession, misspelt), /has no option ttl, only url, key, timeout/);
});
