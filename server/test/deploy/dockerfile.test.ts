// runs: outside

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { commandNames, run } from "../support/command-line.ts";
import { eventually } from "../support/eventually.ts";
import { startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { root } from "./build.ts";
import { deployText, isPinned, unknownVariables } from "./documents.ts";

interface Instruction {
  readonly name: string;
  readonly text: string;
}

const instructions: Instruction[] = deployText("Dockerfile")
  .replaceAll(/^\s*#.*\n/gm, "")
  .replaceAll(/\\\n/g, " ")
  .split("\n")
  .filter((line) => line.trim() !== "")
  .map((line) => {
    const [name = "", ...words] = line.trim().split(/\s+/);
    return { name, text: words.join(" ") };
  });

function all(name: string): string[] {
  return instructions.filter((one) => one.name === name).map(({ text }) => text);
}

function only(name: string): string {
  const [text, ...others] = all(name);
  assert.ok(text !== undefined && others.length === 0, `one ${name}`);
  return text;
}

/** The instructions of the last stage, which makes the image. */
const last = instructions.slice(instructions.findLastIndex(({ name }) => name === "FROM"));

/** Environment variables that the image sets. */
const env = Object.fromEntries(
  only("ENV")
    .split(" ")
    .map((pair) => pair.split("=") as [string, string]),
);

test("the base images have release tags", () => {
  const bases = all("FROM").map((text) => text.split(" ")[0] ?? "");
  assert.equal(bases.length, 2);
  for (const base of bases) assert.ok(isPinned(base), base);
});

test("every file that the image copies is in the repository and not ignored", () => {
  const kept = readFileSync(join(root, ".dockerignore"), "utf8")
    .split("\n")
    .filter((line) => line.startsWith("!"))
    .map((line) => line.slice(1));
  const sources = all("COPY")
    .filter((text) => !text.startsWith("--from="))
    .flatMap((text) => text.split(" ").slice(0, -1));
  assert.ok(sources.length > 8, String(sources));
  for (const source of sources) {
    assert.ok(existsSync(join(root, source)), source);
    const isSent = kept.some((path) => source === path || source.startsWith(`${path}/`));
    assert.ok(isSent, `.dockerignore keeps ${source} outside`);
  }
});

test("every workspace's manifest is copied before npm ci, which otherwise rejects the lock file", () => {
  const { workspaces } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    workspaces: string[];
  };
  const install = instructions.findIndex(({ text }) => text.startsWith("npm ci"));
  const before = instructions.slice(0, install).map(({ text }) => text);
  for (const workspace of workspaces) {
    assert.ok(before.includes(`${workspace}/package.json ${workspace}/`), workspace);
  }
});

test("the server runs as an unprivileged user, from an executable, with its data in a volume", () => {
  const user = last.find(({ name }) => name === "USER")?.text ?? "";
  assert.match(user, /^[1-9]\d*:[1-9]\d*$/, "a number: Kubernetes asks whether it is root");
  assert.deepEqual(JSON.parse(only("VOLUME")), [env.ANTECHAMBER_DATA_DIR]);
  assert.deepEqual(JSON.parse(only("ENTRYPOINT")), ["antechamber"]);
  assert.ok(commandNames().some(([name]) => name === (JSON.parse(only("CMD")) as string[])[0]));
  const names = last.map(({ name }) => name);
  assert.ok(names.indexOf("USER") > names.lastIndexOf("RUN"), "what root prepares comes first");
});

test("the image's settings exist and are safe", async () => {
  assert.deepEqual(unknownVariables(deployText("Dockerfile")), []);
  await using folder = temporaryDirectory();
  const { code, stderr } = await run(["config", "check"], { env, cwd: folder.path });
  assert.equal(code, 0, stderr);
});

test("the health check distinguishes a running server from a stopped one", async () => {
  const [, command = "[]"] = only("HEALTHCHECK").split(" CMD ");
  const [program, ...args] = JSON.parse(command) as string[];
  assert.equal(program, "antechamber");
  await using folder = temporaryDirectory();
  const settings = { ...env, ANTECHAMBER_DATA_DIR: folder.path };
  await using server = await startServer({ env: settings, dataDir: folder.path });
  const inside = { ...settings, ANTECHAMBER_PORT: new URL(server.url).port };
  await eventually(async () => assert.equal((await run(args, { env: inside })).code, 0));
  await server.kill();
  assert.equal((await run(args, { env: inside })).code, 1);
});
