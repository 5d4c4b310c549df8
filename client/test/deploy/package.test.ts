// runs: outside
// needs: npm

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { buildClient, readManifest } from "../../../scripts/client-build.mjs";
import { oldestNode } from "../../../scripts/oldest.mjs";
import { temporaryDirectory } from "../../../server/test/support/temporary-directory.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** Runs a program like an application's developer, and returns its output. */
function run(folder: string, program: string, ...args: readonly string[]): string {
  const env = { ...process.env, npm_config_cache: join(folder, "..", "cache") };
  return execFileSync(program, args, { cwd: folder, encoding: "utf8", env, stdio: "pipe" });
}

const npm = (folder: string, ...args: readonly string[]) =>
  run(folder, "npm", "--offline", "--no-audit", "--no-fund", "--no-update-notifier", ...args);

function write(folder: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
}

const program = `
import { createClient, ProblemError } from "@antechamber/client";
import { createTransport, ProblemError as SameError } from "@antechamber/client/transport";
import { createAdministration } from "@antechamber/client/administration";
import { sessions } from "@antechamber/client/fetch";
import type { SessionInfo } from "@antechamber/client/protocol";
const url = "http://127.0.0.1:8080";
const key: string | undefined = undefined;
export const client = createClient({ url, key, storage: false });
export const info: Promise<SessionInfo> = createTransport({ url, key }).create();
export const all = [createAdministration({ url }), sessions({ url }), ProblemError, SameError];
`;

/** A server in each framework, as strict projects write them. */
const servers = `
import cookie from "@fastify/cookie";
import fastifySession from "@fastify/session";
import express from "express";
import expressSession from "express-session";
import fastify from "fastify";
import { Hono } from "hono";
import * as forExpress from "@antechamber/client/express";
import { antechamberSession } from "@antechamber/client/express-session";
import * as forFastify from "@antechamber/client/fastify";
import { antechamberSession as fastifyStore } from "@antechamber/client/fastify-session";
import { type SessionVariables, sessions } from "@antechamber/client/hono";
const options = { url: "http://127.0.0.1:8080", key: undefined as string | undefined };
const session = antechamberSession(expressSession, options);
export const site = express().use(session({ secret: "secret", resave: false, saveUninitialized: false }));
export const other = express().use(forExpress.sessions({ ...options, property: "visitor" }), (request, response) => {
  const { customerId = null } = forExpress.sessionOf(request) ?? {};
  response.json({ customerId, id: request.sessionID, views: request.session.cookie.maxAge });
});
export async function start() {
  const app = fastify();
  await app.register(cookie);
  await app.register(fastifyStore(fastifySession, options), { secret: "s".repeat(32), saveUninitialized: false });
  await app.register(forFastify.sessions, { ...options, property: "visitor", cookie: { name: "visitor" } });
  app.get("/", (request) => ({ id: request.session.sessionId, customer: forFastify.sessionOf(request)?.customerId }));
}
export const hono = new Hono<{ Variables: SessionVariables }>().use(sessions(options));
`;

test("the packed client can be installed without a network, survives another installation, and loads", async () => {
  await using directory = temporaryDirectory();
  const [dist, app, other] = ["dist", "app", "other"].map((name) => join(directory.path, name));
  assert.ok(dist && app && other);
  buildClient(dist);
  npm(dist, "pack", "--silent", "--pack-destination", directory.path);
  write(app, { "package.json": '{ "name": "app", "private": true, "type": "module" }' });
  write(other, { "package.json": '{ "name": "other", "version": "1.0.0" }' });
  npm(app, "install", "../antechamber-client-0.1.0.tgz");
  // If the first package were a folder instead of a tarball, this installation would replace it by a link.
  npm(app, "install", "../other");
  assert.equal(lstatSync(join(app, "node_modules/@antechamber/client")).isSymbolicLink(), false);

  const names = Object.keys(readManifest().exports).map((subpath) => subpath.replace(".", "@antechamber/client"));
  const loaded = `const names = ${JSON.stringify(names)};`;
  const print = "console.log(names.length, modules.every((each) => Object.keys(each).length > 0));";
  write(app, {
    "esm.mjs": `${loaded} const modules = await Promise.all(names.map((name) => import(name))); ${print}`,
    "cjs.cjs": `${loaded} const modules = names.map((name) => require(name)); ${print}`,
    "module.mts": program,
    "common.cts": program,
    "servers.mts": servers,
    "servers.cts": servers.replace(/import (?!type|\{|\*)(\w+) from ("[^"]+");/g, "import $1 = require($2);"),
  });
  for (const file of ["esm.mjs", "cjs.cjs"]) {
    assert.equal(run(app, oldestNode(), "--no-warnings", file).trim(), `${names.length} true`);
  }
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const strict = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--types", ""];
  for (const options of [["nodenext"], ["preserve", "--moduleResolution", "bundler"]]) {
    run(app, process.execPath, tsc, ...strict, "--module", ...options, "module.mts", "common.cts");
  }
  // The frameworks, as if they were installed too.
  for (const name of ["@fastify", "@types", "express", "express-session", "fastify", "hono"]) {
    symlinkSync(join(root, "node_modules", name), join(app, "node_modules", name));
  }
  const relaxed = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--skipLibCheck", "--types", "node"];
  for (const options of [["nodenext"], ["preserve", "--moduleResolution", "bundler"]]) {
    const files = options.length === 1 ? ["servers.mts", "servers.cts"] : ["servers.mts"];
    run(app, process.execPath, tsc, ...relaxed, "--module", ...options, ...files);
  }
});
