import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Script } from "../scripts/scripts.ts";

/** Joins files of the folder `scripts` into one script. */
function script(keys: number, ...files: readonly string[]): Script {
  const source = files
    .map((file) => readFileSync(new URL(`./scripts/${file}.lua`, import.meta.url), "utf8"))
    .join("\n");
  return { source, sha: createHash("sha1").update(source).digest("hex"), keys };
}

/** Number of keys of a queue. */
const QUEUE_KEYS = 8;
const onQueue = (file: string) => script(QUEUE_KEYS, "prelude", file);

/** The scripts of webhooks. */
export const webhookScripts = {
  storeEndpoint: script(1, "store-endpoint"),
  queueDeliveries: onQueue("queue-deliveries"),
  storeAttempt: onQueue("store-attempt"),
  failOverdue: onQueue("fail-overdue"),
  redeliver: onQueue("redeliver"),
  eraseDeliveries: onQueue("erase-deliveries"),
  purgeDeliveries: onQueue("purge-deliveries"),
  importDelivery: onQueue("import-delivery"),
  removeQueue: script(QUEUE_KEYS, "remove-queue"),
  holdLease: script(1, "hold-lease"),
  releaseLease: script(1, "release-lease"),
} as const;
