// needs: gcc, libc6-dev

import { execFileSync } from "node:child_process";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Compiles a C file of this folder into a library or program in `folder`, and returns its path. */
export function compile(source: string, kind: "library" | "program", folder: string): string {
  const result = join(folder, basename(source, ".c") + (kind === "library" ? ".so" : ""));
  const flags = kind === "library" ? ["-shared", "-fPIC"] : [];
  const path = fileURLToPath(new URL(source, import.meta.url));
  execFileSync("gcc", [...flags, "-O2", "-Wall", "-Werror", "-o", result, path], { stdio: "pipe" });
  return result;
}
