// Builds the console's pages into console/dist with Bun:
//
//   build.ts             builds if dist is missing or older than a source
//   build.ts --force     builds in any case
import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const folder = fileURLToPath(new URL(".", import.meta.url));

/** The folder of the built console: `index.html`, which is the page for every path, and files whose names have hashes. */
const dist: string = join(folder, "dist");

/** Everything from which the console is built. */
const sources = ["src", "assets", "build.ts", "package.json", "tsconfig.json", "../client/src", "../package-lock.json"];

/** Builds the console if `dist` is missing or older than a source. */
async function buildIfStale(): Promise<void> {
  const built = statSync(join(dist, "index.html"), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (sources.some((source) => newestIn(join(folder, source)) >= built)) await build();
}

/**
 * Builds the console. A server that reads `dist` at the same time finds a whole console, the old one or the new one: the
 * page is replaced last, and then the files to which it no longer refers are removed.
 */
async function build(): Promise<void> {
  const out = mkdtempSync(join(folder, "dist-"));
  try {
    const page = pageOf(await bundle(out));
    await bundleTimeline(out);
    for (const name of filesIn(out)) compress(join(out, name));
    const names = [...filesIn(out), "index.html"];
    mkdirSync(join(dist, "assets"), { recursive: true });
    for (const name of filesIn(out)) renameSync(join(out, name), join(dist, name));
    writeFileSync(join(out, "index.html"), page);
    renameSync(join(out, "index.html"), join(dist, "index.html"));
    for (const name of filesIn(dist)) if (!names.includes(name)) rmSync(join(dist, name), { force: true });
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** Names of the bundled files, relative to `index.html`. */
interface EntryNames {
  readonly theme: string;
  readonly script: string;
  readonly style: string;
  readonly icon: string;
}

async function bundle(out: string): Promise<EntryNames> {
  const result = await Bun.build({
    entrypoints: ["src/main.tsx", "src/styles/main.css", "src/theme-first.ts"].map((name) => join(folder, name)),
    outdir: out,
    target: "browser",
    minify: true,
    splitting: true,
    naming: { entry: "assets/[name]-[hash].[ext]", chunk: "assets/chunk-[hash].[ext]" },
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const names = result.outputs.map(({ path }) => relative(out, path).replaceAll("\\", "/"));
  const find = (pattern: RegExp) => {
    const name = names.find((each) => pattern.test(each));
    if (name === undefined) throw new Error(`the bundler wrote no file ${String(pattern)}`);
    return name;
  };
  return {
    theme: find(/^assets\/theme-first-\w+\.js$/),
    script: find(/^assets\/main-\w+\.js$/),
    style: find(/^assets\/main-\w+\.css$/),
    icon: copyIcon(out),
  };
}

/** The script with the element `<antechamber-timeline>`, for pages of other applications. Its name has no hash. */
async function bundleTimeline(out: string): Promise<void> {
  const sheet = await Bun.build({ entrypoints: [join(folder, "src/styles/embed.css")], minify: true });
  const css = await sheet.outputs[0]?.text();
  const result = await Bun.build({
    entrypoints: [join(folder, "src/embed/timeline-element.tsx")],
    target: "browser",
    format: "iife",
    minify: true,
    define: { "process.env.NODE_ENV": '"production"', TIMELINE_CSS: JSON.stringify(inShadowRoot(css ?? "")) },
  });
  writeFileSync(join(out, "timeline.js"), (await result.outputs[0]?.text()) ?? "");
}

/** Returns a style sheet in which rules for the root of a document apply to the host of a shadow root. */
function inShadowRoot(css: string): string {
  return css.replaceAll(/:root(\[[^\]]*\])?/g, (_root, attribute?: string) =>
    attribute === undefined ? ":host" : `:host(${attribute})`,
  );
}

/** Copies the icon of the browser's tab to a name with its hash. */
function copyIcon(out: string): string {
  const content = readFileSync(join(folder, "assets/icon.svg"));
  const name = `assets/icon-${createHash("sha256").update(content).digest("hex").slice(0, 8)}.svg`;
  writeFileSync(join(out, name), content);
  return name;
}

/** Returns the page. The server makes the addresses that begin with `./` relative to the path of each request. */
function pageOf({ theme, script, style, icon }: EntryNames): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>Antechamber</title>
<link rel="icon" type="image/svg+xml" href="./${icon}">
<link rel="stylesheet" href="./${style}">
<script src="./${theme}"></script>
<script type="module" src="./${script}"></script>
</head>
<body>
<div id="root"></div>
<noscript>The console needs JavaScript.</noscript>
</body>
</html>
`;
}

/** Writes the compressed forms of a file beside it, with `.br` and `.gz` appended to its name. */
function compress(file: string): void {
  const content = readFileSync(file);
  const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
  writeFileSync(`${file}.br`, brotliCompressSync(content, { params }));
  writeFileSync(`${file}.gz`, gzipSync(content, { level: constants.Z_BEST_COMPRESSION }));
}

/** Returns the paths of all files in a folder, relative to it. */
function filesIn(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(path, join(entry.parentPath, entry.name)).replaceAll("\\", "/"));
}

/** Returns the time of the last change of a file, or of any file in a folder, in Unix ms. */
function newestIn(path: string): number {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) return stat?.mtimeMs ?? 0;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newestIn(join(path, name))));
}

if (process.argv.includes("--force")) await build();
else await buildIfStale();
