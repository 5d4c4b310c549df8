// The programs that the tests and the benchmarks run in addition to Node and Bun, by the names of their Debian
// packages. A missing program is installed if the user is root on a Debian machine; otherwise this script prints what
// to install.
//
//   node scripts/programs.mjs bench     checks the programs that the benchmarks need
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * For each package, a function that returns whether it is installed.
 * @type {Readonly<Record<string, () => boolean>>}
 */
export const packages = {
  caddy: () => onPath("caddy"),
  chromium: () => onPath("chromium"),
  e2fsprogs: () => onPath("mkfs.ext4"),
  "firefox-esr": () => onPath("firefox-esr"),
  fish: () => onPath("fish"),
  gcc: () => onPath("gcc"),
  iproute2: () => onPath("ip"),
  "libc6-dev": () => existsSync("/usr/include/stdio.h"),
  libfaketime: () => library("faketime/libfaketime.so.1"),
  "libnginx-mod-http-lua": () => existsSync("/usr/lib/nginx/modules/ngx_http_lua_module.so"),
  "lua-cjson": () => library("lua/5.1/cjson.so"),
  "lua-nginx-redis": () => existsSync("/usr/share/lua/5.1/nginx/redis.lua"),
  nginx: () => onPath("nginx"),
  openssl: () => onPath("openssl"),
  "python3-cryptography": () => pythonModule("cryptography"),
  "python3-flask": () => pythonModule("flask"),
  "python3-jwt": () => pythonModule("jwt"),
  "python3-uvicorn": () => pythonModule("uvicorn"),
  "redis-server": () => onPath("redis-server"),
  slowhttptest: () => onPath("slowhttptest"),
  strace: () => onPath("strace"),
  wrk: () => onPath("wrk"),
  zsh: () => onPath("zsh"),
};

const bench = [
  ...["gcc", "libc6-dev", "nginx", "redis-server", "wrk"],
  ...["libnginx-mod-http-lua", "lua-cjson", "lua-nginx-redis"],
];

/** @param {string} program */
function onPath(program) {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** @param {string} path below /usr/lib/<architecture>/ */
function library(path) {
  return existsSync("/usr/lib") && readdirSync("/usr/lib").some((folder) => existsSync(join("/usr/lib", folder, path)));
}

/** @param {string} name */
function pythonModule(name) {
  return existsSync(join("/usr/lib/python3/dist-packages", name));
}

/** @param {string[]} args */
function apt(...args) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return spawnSync("apt-get", ["-q", "-y", ...args], { stdio: ["ignore", 2, 2], env }).status === 0;
}

/**
 * Returns whether all packages in `names` are installed. First installs missing ones if possible; otherwise prints what
 * to install.
 * @param {readonly string[]} names names of `packages`
 */
export function ensurePackages(names) {
  const missing = () => names.filter((name) => packages[name]?.() !== true);
  let absent = missing();
  if (absent.length > 0 && process.getuid?.() === 0 && onPath("apt-get")) {
    console.error(`installing ${absent.join(", ")}`);
    const install = ["install", "--no-install-recommends", ...absent];
    // The package lists may be outdated or missing. They are updated only if the installation fails, because this takes
    // time.
    if (!apt(...install) && apt("update")) apt(...install);
    absent = missing();
  }
  if (absent.length === 0) return true;
  console.error(`Missing, by the names of Debian's packages:\n  sudo apt-get install ${absent.join(" ")}`);
  return false;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  process.exitCode = ensurePackages(bench) ? 0 : 1;
}
