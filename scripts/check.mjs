// npm run check: runs every script of package.json whose name begins with "check:". It continues if one of them fails,
// and prints at the end which ones have failed.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
const { scripts } = /** @type {{ scripts: Record<string, string> }} */ (JSON.parse(text));
const names = Object.keys(scripts).filter((name) => name.startsWith("check:"));

const failed = names.filter((name) => {
  const start = performance.now();
  console.log(`-- ${name}`);
  const { status } = spawnSync("npm", ["run", "--silent", name], { stdio: "inherit" });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`   ${status === 0 ? "ok" : "FAILED"} in ${seconds} s`);
  return status !== 0;
});

if (failed.length > 0) {
  console.log(`failed: ${failed.join(", ")}`);
  process.exitCode = 1;
}
