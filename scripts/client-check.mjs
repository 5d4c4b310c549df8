// npm run check:client: checks the package @antechamber/client as it would be published. Every export loads in the
// oldest supported Node, the entry for browsers is small, publint finds no fault, and there are no dependencies.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { buildClient, built, readManifest } from "./client-build.mjs";
import { oldestNode } from "./oldest.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
/** Maximum size of the entry for browsers, compressed with Brotli (docs/decisions/0080-size-of-the-browser-entry.md). */
const MAX_BYTES = 6550;

/**
 * Returns how many bytes of code a web page loads for the client, minified by Bun and compressed: by Brotli, which
 * servers and CDNs use for static files, and by gzip. The minifiers of Vite and webpack make it smaller.
 */
function entrySizes() {
  const bun = execFileSync(join(root, "scripts/runtime"), ["bun"], { encoding: "utf8" }).trim();
  const entry = join(built, "client.js");
  const code = execFileSync(bun, ["build", "--minify", "--target=browser", entry]);
  return { brotli: brotliCompressSync(code).length, gzip: gzipSync(code, { level: 9 }).length };
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
const { brotli, gzip } = entrySizes();
const complaints = [
  ...messages.map((message) => formatMessage(message, pkg) ?? message.code),
  ...brokenExports(),
  ...(pkg?.dependencies ? ["the package has dependencies"] : []),
  ...(brotli > MAX_BYTES ? [`the entry for browsers has ${brotli} bytes with Brotli, over ${MAX_BYTES}`] : []),
];
for (const complaint of complaints) console.error(complaint);
console.log(`client: ${brotli} bytes with Brotli, ${gzip} with gzip`);
if (complaints.length > 0) process.exitCode = 1;
