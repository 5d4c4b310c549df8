import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { settingNames, variableOf } from "../../src/config/settings.ts";
import { root } from "./build.ts";

/** Returns the text of a file of `deploy/`. */
export function deployText(path: string): string {
  return readFileSync(join(root, "deploy", path), "utf8");
}

/** Parses a file of `deploy/` that is one YAML document, and resolves YAML merges (`<<`). */
export function deployDocument(path: string): unknown {
  return parse(deployText(path), { merge: true });
}

/** A Kubernetes object, and the file that contains it. */
export interface Manifest {
  readonly file: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

/** Returns all objects in the YAML files of `deploy/kubernetes/`. */
export function manifests(): Manifest[] {
  return readdirSync(join(root, "deploy/kubernetes"))
    .filter((file) => file.endsWith(".yaml") && file !== "kustomization.yaml")
    .flatMap((file) => manifestsIn(deployText(`kubernetes/${file}`), file));
}

/** Parses a text of one or more YAML documents; throws if it is not strict YAML. */
export function manifestsIn(text: string, file: string): Manifest[] {
  return parseAllDocuments(text, { strict: true, uniqueKeys: true }).map((document) => {
    const [fault] = [...document.errors, ...document.warnings];
    if (fault !== undefined) throw new Error(`${file}: ${fault.message}`);
    return { file, ...(document.toJS() as Omit<Manifest, "file">) };
  });
}

/** Returns the `ANTECHAMBER_` variables in a text that are not settings. */
export function unknownVariables(text: string): string[] {
  const known = [...settingNames.map(variableOf), "ANTECHAMBER_CONFIG"];
  return (text.match(/\bANTECHAMBER_[A-Z_]+/g) ?? []).filter((name) => !known.includes(name));
}

/** Returns whether the tag of an image names one release, so that every start gets the same image. */
export function isPinned(image: string): boolean {
  return /^[a-z0-9./-]+:\d+\.\d+\.\d+(-[a-z0-9.]+)*$|^debian:\d+\.\d+(-slim)?$/.test(image);
}
