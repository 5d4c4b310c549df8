// runs: once
// needs: sh

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../../server/test/support/temporary-directory.ts";

const root = resolve(import.meta.dirname, "../..");

/** The modules of the reader's application that the samples import. */
const readersModules = {
  "users.d.ts": `
    import type { Request } from "express";
    export function checkPassword(request: Request): Promise<{ id: string }>;`,
  "site.d.ts": `
    import type { Express, Request } from "express";
    export const app: Express;
    export function userOf(request: Request): Promise<{ id: string } | null>;
    export const oldVisitors: { takeBasket(id: string): Promise<string[] | null> };
    export function agentOf(request: Request): Promise<{ id: string; key: string }>;
    export const carts: {
      get(key: string): Promise<unknown[] | undefined>;
      set(key: string, cart: unknown[], options: { until: string }): Promise<void>;
      move(from: string, to: string): Promise<void>;
    };`,
  "next.d.ts": `
    declare module "next/headers" {
      export function cookies(): Promise<{ get(name: string): { value: string } | undefined }>;
    }`,
};

const configuration = {
  compilerOptions: {
    target: "esnext",
    module: "nodenext",
    strict: true,
    noImplicitAny: false,
    exactOptionalPropertyTypes: true,
    allowJs: true,
    checkJs: true,
    allowImportingTsExtensions: true,
    noEmit: true,
    skipLibCheck: true,
    types: ["node", "bun"],
  },
  include: ["*.ts", "*.js"],
};

/** Matches the files of `examples/` in a document. They are compiled with the whole repository. */
const EXAMPLE = /^<!-- (\S+): made from the source -->$.*?^<!-- end of \1 -->$/gms;

/** Returns the samples of a document, each with the number of its first line. */
function samplesOf(document: string) {
  const text = readFileSync(join(root, document), "utf8").replace(EXAMPLE, (part) => part.replaceAll(/[^\n]/g, ""));
  return [...text.matchAll(/^```(?<language>js|ts)\n(?<code>.*?)^```$/gms)].map(({ groups, index }) => {
    const line = text.slice(0, index).split("\n").length;
    return { name: `line-${line}.${groups?.["language"]}`, code: groups?.["code"] ?? "" };
  });
}

/** Returns the compiler's errors in samples that are files of one program. */
async function complaints(samples: ReturnType<typeof samplesOf>): Promise<string> {
  await using directory = temporaryDirectory();
  const write = (name: string, text: string) => writeFileSync(join(directory.path, name), text);
  symlinkSync(join(root, "node_modules"), join(directory.path, "node_modules"));
  write("package.json", JSON.stringify({ type: "module" }));
  write("tsconfig.json", JSON.stringify(configuration));
  for (const [name, text] of Object.entries(readersModules)) write(name, text);
  for (const { name, code } of samples) write(name, code);
  const node = execFileSync(join(root, "scripts", "runtime"), ["node"], { encoding: "utf8" });
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  try {
    return execFileSync(node.trim(), [tsc, "-p", directory.path], { encoding: "utf8" });
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

test("the samples of docs/servers.md compile unchanged", async () => {
  const samples = samplesOf("docs/servers.md");
  assert.ok(samples.length >= 10, `${samples.length} samples`);
  // Some samples declare `req.session`. They are compiled apart, because one program cannot declare it twice.
  const isDeclaration = ({ code }: { code: string }) => code.includes("declare global");
  assert.equal(await complaints(samples.filter((sample) => !isDeclaration(sample))), "");
  assert.equal(await complaints(samples.filter(isDeclaration)), "");
});

test("the samples of the guides compile unchanged", async () => {
  const documents = ["docs/from-express-session.md", "docs/from-a-visitor-table.md", "client/README.md"];
  const samples = documents.flatMap((document, at) =>
    samplesOf(document).map(({ name, code }) => ({ name: `${at}-${name}`, code })),
  );
  assert.ok(samples.length >= documents.length, `${samples.length} samples`);
  // The reader's application imports express-session, which declares `req.session`.
  const application = { name: "application.ts", code: 'import "express-session";\n' };
  assert.equal(await complaints([...samples, application]), "");
});

test("the samples of docs/browser.md, one after the other, are a program", async () => {
  const samples = samplesOf("docs/browser.md");
  assert.ok(samples.length >= 5, `${samples.length} samples`);
  assert.equal(await complaints([{ name: "page.ts", code: samples.map(({ code }) => code).join("\n") }]), "");
});
