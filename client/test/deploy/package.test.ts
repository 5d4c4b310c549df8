// runs: outside
// needs: npm

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, writeFileSync } from "node:fs";
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
import { createTransport } from "@antechamber/client/transport";
import { createAdministration } from "@antechamber/client/administration";
import { sessions } from "@antechamber/client/fetch";
import type { SessionInfo } from "@antechamber/client/protocol";
const url = "http://127.0.0.1:8080";
const key: string | undefined = undefined;
export const client = createClient({ url, key, storage: false });
export const info: Promise<SessionInfo> = createTransport({ url, key }).create();
export const all = [createAdministration({ url }), sessions({ url }), ProblemError];
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
  });
  for (const file of ["esm.mjs", "cjs.cjs"]) {
    assert.equal(run(app, oldestNode(), "--no-warnings", file).trim(), `${names.length} true`);
  }
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const strict = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--types", ""];
  for (const options of [["nodenext"], ["preserve", "--moduleResolution", "bundler"]]) {
    run(app, process.execPath, tsc, ...strict, "--module", ...options, "module.mts", "common.cts");
  }
});
