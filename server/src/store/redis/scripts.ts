import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** A script as Redis knows it. */
export interface Script {
  readonly source: string;
  /** SHA-1 of the source: what Redis calls it. */
  readonly sha: string;
  /** How many keys it has; 0: as many as it is given. */
  readonly keys: number;
}

function script(keys: number, ...files: readonly string[]): Script {
  const source = files
    .map((file) => readFileSync(new URL(`./scripts/${file}.lua`, import.meta.url), "utf8"))
    .join("\n");
  return { source, sha: createHash("sha1").update(source).digest("hex"), keys };
}

/** What scripts begin with that do everything in one, where one server has all keys. */
const atOnce = ["entering", "claiming", "claiming-at-once"] as const;

/** Every script, one file each; those that change a session begin with the rules they share. */
export const scripts = {
  associate: script(3, "session", "association", "associate"),
  associateAtOnce: script(0, "session", "association", ...atOnce, "associate-at-once"),
  renew: script(2, "session", "renew"),
  end: script(2, "session", "end"),
  examine: script(3, "session", "examine"),
  record: script(2, "session", "record"),
  stretch: script(2, "stretch"),
  create: script(2, "create"),
  createAtOnce: script(0, ...atOnce, "create-at-once"),
  claim: script(2, "entering", "claiming", "claim"),
  release: script(1, "release"),
  reserve: script(1, "reserve"),
  settle: script(1, "settle"),
  adoptRecords: script(1, "adopt-records"),
  born: script(2, "born"),
  beat: script(4, "beat"),
  putBack: script(2, "put-back"),
  putBackKeys: script(2, "put-back-keys"),
  eraseAnswer: script(1, "erase-answer"),
  addKey: script(2, "add-key"),
  revokeKey: script(2, "revoke-key"),
  replaceKey: script(2, "replace-key"),
  eraseKeys: script(3, "erase-keys"),
  useKeys: script(2, "use-keys"),
  appendAudit: script(1, "append-audit"),
  index: script(1, "entering", "index"),
  erase: script(2, "session", "erase"),
  putSecrets: script(2, "put-secrets"),
  addToBucket: script(1, "add-to-bucket"),
} as const;
