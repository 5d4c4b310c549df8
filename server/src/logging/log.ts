import { type DestinationStream, type Logger, pino } from "pino";
import { describeError } from "./safe-error.ts";

/**
 * The log: JSON, one object per line. Of an error, in the member `err` or as the only argument, a line has
 * only what `describeError` allows.
 */
export function createLog(level: string, to: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      serializers: { err: describeError, error: describeError, cause: describeError },
      hooks: {
        // pino would log a single error with the error's own message as the text of the line.
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
