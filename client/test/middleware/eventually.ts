import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";

/** What `look` gives once `isThere` accepts it; fails with the last of them after ten seconds. */
export async function eventually<T>(
  look: () => T | Promise<T>,
  isThere: (seen: T) => boolean,
): Promise<T> {
  const until = performance.now() + 10_000;
  for (;;) {
    const seen = await look();
    if (isThere(seen)) return seen;
    if (performance.now() > until) assert.fail(`still ${JSON.stringify(seen)}`);
    await delay(20);
  }
}
