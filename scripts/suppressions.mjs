// npm run check:suppressions: checks that the sources obey every rule of the type checker and the linters. No comment
// or cast may turn off a rule, and no test may be skipped.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

// Each pattern is split into pieces, so that the patterns do not match this file.
const forbidden = [
  ["@ts-", "(ignore|expect-error|nocheck)"],
  ["(biome|eslint|oxlint|knip)-", "(ignore|disable)"],
  ["\\bas ", "any\\b"],
  ["\\b(TO", "DO|FIX", "ME)\\b"],
  ["\\b(test|it|describe)\\.", "(skip|only|todo)\\b"],
].map((pieces) => new RegExp(pieces.join(""), "u"));

const root = fileURLToPath(new URL("..", import.meta.url));
const listed = execFileSync(
  "git",
  ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.ts", "*.tsx", "*.mjs"],
  { cwd: root, encoding: "utf8" },
);

let count = 0;
for (const file of listed.split("\0").filter(Boolean)) {
  const lines = readFileSync(new URL(`../${file}`, import.meta.url), "utf8").split("\n");
  for (const [index, line] of lines.entries()) {
    if (!forbidden.some((pattern) => pattern.test(line))) continue;
    console.log(`${file}:${index + 1}: ${line.trim()}`);
    count += 1;
  }
}
if (count > 0) process.exitCode = 1;
