import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { Page } from "playwright-core";
import { long } from "../../support/tier.ts";

/** The part of a trace event (Trace Event Format) that the tests read. `tdur` is processor time in microseconds. */
interface TraceEvent {
  readonly name: string;
  readonly tid: number;
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

/** Returns the processor time of each task of the page's main thread in a trace, in milliseconds, longest first. */
function taskTimes(trace: Buffer): number[] {
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: readonly TraceEvent[] };
  const threads = traceEvents.filter(({ name, args }) => name === "thread_name" && args?.name === "CrRendererMain");
  return traceEvents
    .filter(({ name, tid }) => name.endsWith("RunTask") && threads.some((thread) => thread.tid === tid))
    .map(({ tdur = 0 }) => tdur / 1000)
    .toSorted((one, other) => other - one);
}

/**
 * Measures the tasks of a page's main thread while `steps` runs. Asserts, in the long form, that none takes 200 ms of
 * processor time or more: on a busy machine each task takes more of it.
 */
export async function assertShortTasks(t: TestContext, page: Page, steps: () => Promise<void>): Promise<void> {
  const browser = page.context().browser();
  await browser?.startTracing(page, { categories: ["toplevel", "disabled-by-default-devtools.timeline"] });
  await steps();
  const times = taskTimes((await browser?.stopTracing()) ?? Buffer.of());
  assert.ok(times.length > 100, "the trace has tasks");
  const figures = `the longest tasks took ${times.slice(0, 5).join(", ")} ms`;
  t.diagnostic(figures);
  assert.ok(!long || Number(times[0]) < 200, figures);
}
