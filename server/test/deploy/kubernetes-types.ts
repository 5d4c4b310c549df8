import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { root } from "./build.ts";
import type { Manifest } from "./documents.ts";

/**
 * Checks `manifests` against the Kubernetes types with the TypeScript compiler and returns its errors. Each manifest
 * becomes an object literal, since the compiler reports unknown members only there.
 */
export async function typeFaults(manifests: readonly Manifest[]): Promise<string> {
  await using folder = temporaryDirectory();
  const program = join(folder.path, "manifests.ts");
  writeFileSync(program, manifests.map(literal).join("\n"));
  try {
    const tsc = join(root, "node_modules/.bin/tsc");
    const args = ["--noEmit", "--strict", "--skipLibCheck", "--module", "preserve", program];
    execFileSync(tsc, args, { cwd: folder.path, stdio: "pipe" });
    return "";
  } catch (error) {
    return String((error as { stdout?: Buffer }).stdout ?? error);
  }
}

function literal({ file, ...object }: Manifest, at: number): string {
  const [version = "", group = "core"] = object.apiVersion.split("/").toReversed();
  const types = join(root, "node_modules/kubernetes-types", group.replace(".k8s.io", ""), version);
  const text = JSON.stringify(object, undefined, 1);
  return `// ${file}\nexport const m${at}: import(${JSON.stringify(types)}).${object.kind} = ${text};\n`;
}
