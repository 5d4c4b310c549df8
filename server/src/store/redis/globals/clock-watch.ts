import type { Engine } from "../engine.ts";
import { CLOCK_TOLERANCE } from "./store-state.ts";

/** Reports when the clock of this machine begins to differ from that of Redis, and when both agree again. */
export class ClockWatch {
  readonly #engine: Engine;
  #differs = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Compares the clocks. `serverTime` is that of Redis, read between `started` and this call. Both are Unix ms. */
  compare(started: number, serverTime: number): void {
    const { events, wall: wallClock } = this.#engine.options;
    const wall = wallClock();
    const ahead = Math.min(started, wall) - serverTime;
    const behind = serverTime - Math.max(started, wall);
    const difference = Math.max(ahead, behind);
    const differs = difference > CLOCK_TOLERANCE;
    if (differs === this.#differs) return;
    this.#differs = differs;
    this.#engine.isClockWrong = differs;
    if (differs) {
      const way = ahead > behind ? "ahead of" : "behind";
      events.noticed(
        "error",
        `the clock of this machine is ${Math.round(difference / 1000)} s ${way} that of Redis: sessions expire at the wrong time here. Set both by NTP, and restart this server`,
      );
      return;
    }
    // `latest` never runs backwards in a process. If the wall clock was set back, `latest` is still ahead of it.
    const left = Math.round((this.#engine.latest - wall) / 1000);
    const inStep = "the clock of this machine and that of Redis are in step again";
    if (left * 1000 <= CLOCK_TOLERANCE) events.noticed("info", inStep);
    else {
      events.noticed("error", `${inStep}, but this server is still ${left} s ahead: restart it`);
    }
  }
}
