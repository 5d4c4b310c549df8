import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Cluster, Redis } from "ioredis";
import type { Shares } from "../shared-meter.ts";

const script = readFileSync(new URL("./add.lua", import.meta.url), "utf8");

/**
 * Shares in Redis, one key a bucket: a cluster spreads them by their names. All of an exchange go out
 * together. `prefix` stands before each key; `timeout` (ms) is for the whole exchange: an answer that
 * comes later is not waited for, and what it tells of may count twice, which errs on the strict side.
 */
export function createRedisShares(
  client: Redis | Cluster,
  { prefix, timeout }: { readonly prefix: string; readonly timeout: number },
): Shares {
  return {
    async add(takings) {
      const answers = takings.map(({ bucket, amount }) =>
        client.eval(script, 1, prefix + nameOf(bucket), amount),
      );
      return (await inTime(Promise.all(answers), timeout)).map(Number);
    },
  };
}

/** Addresses and customers are nobody's business who looks at the keys. */
function nameOf(bucket: string): string {
  return hash("sha256", bucket, "base64url").slice(0, 24);
}

async function inTime<Value>(answer: Promise<Value>, timeout: number): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeout} ms`)), timeout);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
    answer.catch(() => undefined);
  }
}
