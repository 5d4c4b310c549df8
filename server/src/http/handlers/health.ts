import type { Clock } from "../../runtime/clock.ts";
import { type Reason, Refusal } from "../../session/errors.ts";
import type { LifecycleStore } from "../../store/ports/lifecycle.ts";
import { type ApiResponse, apiFields, json } from "../app/api-response.ts";
import type { Metrics } from "../app/metrics.ts";

/** What operators and their tools ask. */
export interface HealthHandlers {
  /** The process is alive: 200 as long as it answers. */
  health(): ApiResponse;
  /** It can do its work: refuses with `unavailable` when the store takes no write, or when stopping. */
  ready(): Promise<ApiResponse>;
  metrics(): Promise<ApiResponse>;
}

const notReady: Reason = { code: "unavailable", retryAfterSeconds: 1 };

/** A probe's answer holds for so long (ms): asking often must not keep the disk busy. */
const PROBE_LIFE = 1000;

/** Handlers over the store; `isStopping` tells whether the server is shutting down. */
export function createHealthHandlers(
  store: Pick<LifecycleStore, "advanceClock" | "status">,
  clock: Clock,
  metrics: Metrics,
  isStopping: () => boolean,
): HealthHandlers {
  let probedAt = Number.NEGATIVE_INFINITY;
  let probe: Promise<Reason | undefined> = Promise.resolve(notReady);

  /** Why the store accepts no writes; `undefined` if it accepts them. */
  function probeStore(): Promise<Reason | undefined> {
    const now = performance.now();
    if (now - probedAt >= PROBE_LIFE) {
      probedAt = now;
      probe = store.advanceClock(clock()).then(
        () => undefined,
        (error: unknown) => (error instanceof Refusal ? error.reason : notReady),
      );
    }
    return probe;
  }

  return {
    health: () => json({ status: "ok" }),
    async ready() {
      // The probe looks at one place; requests may have met another that takes nothing.
      const reason = isStopping() ? notReady : await probeStore();
      if (reason === undefined && store.status().writable) return json({ status: "ok" });
      throw new Refusal(reason ?? notReady);
    },
    async metrics() {
      const { contentType, text } = await metrics.page();
      return { status: 200, headers: { ...apiFields, "content-type": contentType }, body: text };
    },
  };
}
