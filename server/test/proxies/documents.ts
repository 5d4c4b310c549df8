import { readFileSync } from "node:fs";
import { parse } from "yaml";

/** Parses a file of `examples/` as YAML. */
export function exampleDocument(path: string): unknown {
  return parse(readFileSync(new URL(`../../../examples/${path}`, import.meta.url), "utf8"));
}

/** Returns every value below `node` that has this key, in the order of the document. */
export function allValues(node: unknown, key: string): unknown[] {
  if (typeof node !== "object" || node === null) return [];
  return Object.entries(node).flatMap(([name, value]) => [
    ...(name === key ? [value as unknown] : []),
    ...allValues(value, key),
  ]);
}

/** Returns the only value with this key. Throws if there is none, or a different one. */
export function onlyValue(node: unknown, key: string): unknown {
  const [value, ...others] = allValues(node, key);
  if (value === undefined || others.length > 0) throw new Error(`${key}: one was expected`);
  return value;
}

/** Returns the only code block in `docs/proxies.md` in this language. */
export function documentedBlock(language: string): string {
  const text = readFileSync(new URL("../../../docs/proxies.md", import.meta.url), "utf8");
  const [block, ...others] = text.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, "gm"));
  if (block === undefined || others.length > 0) throw new Error(`${language}: one was expected`);
  return block[1] as string;
}
