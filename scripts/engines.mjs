// The programs beside Node and Bun that the tests and the benchmarks run. Where
// one is missing, root on a Debian machine gets it installed; anyone else is
// told what to install, because a test whose engine is missing fails.
//
//   node scripts/engines.mjs test|bench
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";

/** @typedef {"test" | "bench"} Purpose */

/**
 * Debian package, how to see that it is there, and what needs it.
 * @type {[name: string, present: () => boolean, purposes: Purpose[]][]}
 */
const packages = [
  ["gcc", () => onPath("gcc"), ["test", "bench"]],
  ["libc6-dev", () => existsSync("/usr/include/stdio.h"), ["test", "bench"]],
  ["strace", () => onPath("strace"), ["test"]],
  ["libfaketime", () => library("faketime/libfaketime.so.1"), ["test"]],
  ["zsh", () => onPath("zsh"), ["test"]],
  ["fish", () => onPath("fish"), ["test"]],
  ["e2fsprogs", () => onPath("mkfs.ext4"), ["test"]],
  ["caddy", () => onPath("caddy"), ["test"]],
  ["chromium", () => onPath("chromium"), ["test"]],
  ["nginx", () => onPath("nginx"), ["test", "bench"]],
  ["slowhttptest", () => onPath("slowhttptest"), ["test"]],
  ["redis-server", () => onPath("redis-server"), ["test", "bench"]],
  ["openssl", () => onPath("openssl"), ["test"]],
  ["iproute2", () => onPath("ip"), ["test"]],
  ["wrk", () => onPath("wrk"), ["test", "bench"]],
  ["libnginx-mod-http-lua", () => nginxModule("ngx_http_lua_module.so"), ["bench"]],
  ["lua-nginx-redis", () => existsSync("/usr/share/lua/5.1/nginx/redis.lua"), ["bench"]],
  ["lua-cjson", () => library("lua/5.1/cjson.so"), ["bench"]],
];

/** @param {string} program */
function onPath(program) {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  return folders.some((folder) => executable(join(folder, program)));
}

/** @param {string} file */
function executable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** @param {string} path below /usr/lib/<architecture>/ */
function library(path) {
  return readdirSync("/usr/lib").some((folder) => existsSync(join("/usr/lib", folder, path)));
}

/** @param {string} file */
function nginxModule(file) {
  return existsSync(join("/usr/lib/nginx/modules", file));
}

/** @param {string[]} args */
function apt(...args) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return spawnSync("apt-get", ["-q", "-y", ...args], { stdio: ["ignore", 2, 2], env }).status === 0;
}

/** @param {Purpose} purpose */
function missing(purpose) {
  return packages
    .filter(([, present, purposes]) => purposes.includes(purpose) && !present())
    .map(([name]) => name);
}

/**
 * True when every program is there, if need be after installing it; otherwise
 * false, and standard error names what is missing.
 * @param {Purpose} purpose
 */
export function ensureEngines(purpose) {
  let names = missing(purpose);
  if (names.length > 0 && process.getuid?.() === 0 && onPath("apt-get")) {
    console.error(`installing ${names.join(", ")}`);
    const install = ["install", "--no-install-recommends", ...names];
    // The package lists may be old or absent: read them only when it matters.
    if (!apt(...install) && apt("update")) apt(...install);
    names = missing(purpose);
  }
  if (names.length === 0) return true;
  console.error(
    `Missing for npm ${purpose === "test" ? "test" : "run bench"}, by the names of Debian's packages:\n` +
      `  sudo apt-get install ${names.join(" ")}`,
  );
  return false;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const purpose = process.argv[2] === "bench" ? "bench" : "test";
  process.exitCode = ensureEngines(purpose) ? 0 : 1;
}
