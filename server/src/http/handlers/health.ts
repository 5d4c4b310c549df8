import type { Clock } from "../../runtime/clock.ts";
import { Refusal } from "../../session/errors.ts";
import type { LifecycleStore } from "../../store/ports/lifecycle.ts";
import { type ApiResponse, apiFields, json } from "../api-response.ts";
import type { Metrics } from "../metrics.ts";

/** How long (ms) the result of a probe is reused, so that frequent probes do not keep the disk busy. */
const PROBE_MAX_AGE_MS = 1000;

/** Creates the handlers of probes and metrics. */
export function createHealthHandlers(
  store: Pick<LifecycleStore, "advanceClock" | "status">,
  clock: Clock,
  metrics: Metrics,
  isStopping: () => boolean,
) {
  let probedAt = Number.NEGATIVE_INFINITY;
  let probe: Promise<Refusal | undefined> = Promise.resolve(undefined);

  /** Returns the refusal of a store that accepts no writes; `undefined` if it accepts them. */
  function probeStore(): Promise<Refusal | undefined> {
    const now = performance.now();
    if (now - probedAt >= PROBE_MAX_AGE_MS) {
      probedAt = now;
      probe = store.advanceClock(clock()).then(
        () => undefined,
        (error: unknown) => (error instanceof Refusal ? error : notReady(error)),
      );
    }
    return probe;
  }

  return {
    /** Responds 200 as long as the process runs. */
    health: (): ApiResponse => json({ status: "ok" }),
    /** Refuses with `unavailable` if the store accepts no writes, or if the server is stopping. */
    async ready(): Promise<ApiResponse> {
      // Even if the probe has succeeded, the last write of a request may have failed.
      const refusal = isStopping() ? notReady(new Error("the server is stopping")) : await probeStore();
      const { writable, lostShards, shardsToRepair } = store.status();
      const losses = { ...(lostShards > 0 && { lostShards }), ...(shardsToRepair > 0 && { shardsToRepair }) };
      if (refusal === undefined && writable) return json({ status: "ok", ...losses });
      throw refusal ?? notReady(new Error("the last write to the store failed: its line in the log says why"));
    },
    async metrics(): Promise<ApiResponse> {
      const { contentType, text } = await metrics.page();
      return { status: 200, headers: { ...apiFields, "content-type": contentType }, body: text };
    },
  };
}

function notReady(cause: unknown): Refusal {
  return new Refusal({ code: "unavailable", retryAfterSeconds: 1 }, cause);
}
