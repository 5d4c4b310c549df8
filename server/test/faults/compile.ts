// needs: gcc, libc6-dev

import { execFileSync } from "node:child_process";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Compiles a C source of this folder into `folder` and returns the path of the library or program. Needs the Debian
 * packages gcc and libc6-dev.
 */
export function compile(source: string, kind: "library" | "program", folder: string): string {
  const result = join(folder, basename(source, ".c") + (kind === "library" ? ".so" : ""));
  const flags = kind === "library" ? ["-shared", "-fPIC"] : [];
  const path = fileURLToPath(new URL(source, import.meta.url));
  execFileSync("gcc", [...flags, "-O2", "-Wall", "-Werror", "-o", result, path], { stdio: "pipe" });
  return result;
}
