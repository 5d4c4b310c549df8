import { type DestinationStream, type Logger, pino } from "pino";
import { describeError } from "./safe-error.ts";

/** Creates the log: one JSON object per line. Of errors it contains only what `describeError` returns. */
export function createLog(level: string, to: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      serializers: { err: describeError, error: describeError, cause: describeError },
      hooks: {
        // Without this hook, pino would log the unfiltered message of an error that is the only argument.
        logMethod(words, method) {
          const [first, text] = words as unknown[];
          if (!(first instanceof Error)) return method.apply(this, words);
          return method.apply(this, [{ err: first }, typeof text === "string" ? text : "error"]);
        },
      },
    },
    to,
  );
}
