// npm run check:client: checks the package @antechamber/client as it would be published. Every export loads in the
// oldest supported Node, the entry for browsers is small, publint finds no fault, and there are no dependencies.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { buildClient, built, readManifest } from "./client-build.mjs";
import { oldestNode } from "./oldest.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const MAX_BYTES = 7600;

/** Returns how many bytes of code a web page loads for the client, minified and compressed. */
function entrySize() {
  const bun = execFileSync(join(root, "scripts/runtime"), ["bun"], { encoding: "utf8" }).trim();
  const entry = join(built, "client.js");
  return gzipSync(execFileSync(bun, ["build", "--minify", "--target=browser", entry]), { level: 9 }).length;
}

/**
 * Returns a complaint for each export that does not load. On Linux it uses the oldest supported Node, elsewhere the
 * current one.
 */
function brokenExports() {
  const node = process.platform === "linux" ? oldestNode() : process.execPath;
  const complaints = [];
  for (const [subpath, file] of Object.entries(readManifest().exports)) {
    const module = join(built, file.replace("./src/", "").replace(/\.ts$/, ".js"));
    const code = `const loaded = await import(${JSON.stringify(pathToFileURL(module).href)});
      if (Object.keys(loaded).length === 0) throw new Error("exports nothing");`;
    try {
      execFileSync(node, ["--input-type=module", "--eval", code], { stdio: "pipe" });
    } catch (error) {
      complaints.push(`${subpath}: ${String(error)}`);
    }
  }
  return complaints;
}

buildClient();
const { messages, pkg } = await publint({ pkgDir: built, level: "suggestion", pack: false });
const size = entrySize();
const complaints = [
  ...messages.map((message) => formatMessage(message, pkg) ?? message.code),
  ...brokenExports(),
  ...(pkg?.dependencies ? ["the package has dependencies"] : []),
  ...(size > MAX_BYTES ? [`the entry for browsers has ${size} bytes, over ${MAX_BYTES}`] : []),
];
for (const complaint of complaints) console.error(complaint);
console.log(`client: ${size} bytes, minified and compressed`);
if (complaints.length > 0) process.exitCode = 1;
