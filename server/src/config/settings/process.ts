import { duration, word } from "../kinds.ts";
import type { Setting } from "../setting.ts";

/** The settings of the process: how it stops, and what it logs. */
export const processSettings = {
  shutdownTimeout: {
    ...duration("10ms", "10m"),
    default: "10s",
    description: "Time for running requests to finish when the server stops",
  },
  logLevel: {
    ...word("level", ["trace", "debug", "info", "warn", "error", "fatal", "silent"]),
    default: "info",
    description: "Lowest severity that is logged",
  },
  accessLog: {
    ...word("which", ["errors", "all", "off"]),
    default: "errors",
    description: "Requests that are logged: those answered with 5xx, all, or none",
  },
} as const satisfies Record<string, Setting>;
