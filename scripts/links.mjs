// npm run check:links: checks the relative links in Markdown files. The target file must exist, and an anchor must be a
// heading or an <a id> of the target file. Also checks each mention of an anchor of docs/contract.md in any file.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const CONTRACT = "docs/contract.md";

/** Matches the targets of `[text](target)`, of `[name]: target`, and of the HTML attributes href and src. */
const LINK = /\]\(\s*<?([^\s)>]+)|^\s{0,3}\[[^\]]+\]:\s+(\S+)|\b(?:href|src)="([^"]+)"/gmu;
const MENTION = /(?<![\w-])contract\.md#([\w-]+)/gu;

/** @type {Map<string, Set<string>>} */
const anchors = new Map();
let count = 0;

for (const file of listedFiles()) {
  const text = readFileSync(join(root, file), "utf8");
  for (const [mention, anchor = ""] of text.matchAll(MENTION)) {
    if (!anchorsOf(CONTRACT).has(anchor)) report(file, mention);
  }
  if (!file.endsWith(".md")) continue;
  for (const [, inline, reference, attribute] of withoutCode(text).matchAll(LINK)) {
    const link = inline ?? reference ?? attribute ?? "";
    if (!/^(?:[a-z][a-z\d+.-]*:|\/)/iu.test(link) && !leadsSomewhere(file, link)) {
      report(file, link);
    }
  }
}
if (count > 0) process.exitCode = 1;

function listedFiles() {
  const options = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const listed = execFileSync("git", options, { cwd: root, encoding: "utf8" }).split("\0");
  const isFile = (/** @type {string} */ path) => statSync(path, { throwIfNoEntry: false })?.isFile();
  return listed.filter((file) => file !== "" && isFile(join(root, file)));
}

/** @param {string} file @param {string} link */
function leadsSomewhere(file, link) {
  const [path = "", anchor] = link.split("#", 2);
  const target = path === "" ? file : normalize(join(dirname(file), decodeURIComponent(path)));
  if (!existsSync(join(root, target))) return false;
  return anchor === undefined || !target.endsWith(".md") || anchorsOf(target).has(anchor);
}

/**
 * Returns the anchors of a file: those that GitHub creates for headings, and those of the form <a id>.
 * @param {string} file
 */
function anchorsOf(file) {
  const known = anchors.get(file);
  if (known !== undefined) return known;
  const text = withoutFences(readFileSync(join(root, file), "utf8"));
  const found = new Set(Array.from(text.matchAll(/<a id="([^"]+)">/gu), ([, id = ""]) => id));
  for (const [, heading = ""] of text.matchAll(/^#{1,6}\s+(.+?)\s*#*$/gmu)) {
    const slug = slugOf(heading);
    let unique = slug;
    // If a heading occurs several times, GitHub adds a number to the anchor.
    for (let n = 1; found.has(unique); n++) unique = `${slug}-${n}`;
    found.add(unique);
  }
  anchors.set(file, found);
  return found;
}

/** @param {string} heading */
function slugOf(heading) {
  const text = heading.replaceAll(/<[^>]+>/gu, "").replaceAll(/\[([^\]]*)\]\([^)]*\)/gu, "$1");
  return text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(/\s/gu, "-");
}

/** @param {string} text */
function withoutFences(text) {
  return text.replaceAll(/^ *(```|~~~)[\s\S]*?^ *\1/gmu, "");
}

/** @param {string} text */
function withoutCode(text) {
  return withoutFences(text).replaceAll(/`[^`\n]*`/gu, "");
}

/** @param {string} file @param {string} link */
function report(file, link) {
  console.log(`${file}: ${link} leads nowhere`);
  count += 1;
}
