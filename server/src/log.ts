import { type DestinationStream, type Logger, pino } from "pino";
import { describeError } from "./safe-error.ts";

/**
 * The log: JSON, one object a line. Of an error, in the member `err` or alone, a line has what
 * `describeError` lets through and nothing else.
 */
export function createLog(level: string, to: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      serializers: { err: describeError, error: describeError, cause: describeError },
      hooks: {
        // An error alone would be logged with its own message as the text of the line.
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
