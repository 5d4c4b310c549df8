import { parseArgs } from "node:util";

/** The options of a benchmark run. */
export type Options = {
  /**
   * The measurements to run: names of subjects or of their groups, `slow-disk`, `records`, `middleware`, `growth`,
   * `events`, `redis` and parts of `redis`. If empty, everything is measured.
   */
  only: string[];
  rounds: number;
  /**
   * Duration of each measurement in seconds; `warmUp` is the time before it, also in seconds. With Redis, the warm-up ends
   * when the cost is steady (`redis/warm-up.ts`).
   */
  seconds: number;
  warmUp: number;
  /** The sizes of the stores with which growth is measured, in sessions. */
  growth: number[];
  /** The names of the subjects to measure with Redis. If empty, all are measured. */
  redisSubjects: string[];
  /** Whether the benchmark run is short. It then shows that everything works, but its figures are not reliable. */
  quick: boolean;
  /** Name of the machine in the results. By default it is derived from the processor. */
  name?: string;
};

export const USAGE = `npm run bench -- [options]

  --only LIST      comma-separated: ours, peers, limit, a subject's name,
                   slow-disk, records, middleware, growth, events, redis, or of redis:
                   redis-single, redis-cluster, redis-limit, redis-memory
  --rounds N       fresh processes and a new order each time (default 3)
  --seconds N      length of a measurement (default 5)
  --redis-subjects LIST
                   of redis only antechamber-1, antechamber-2, antechamber-4,
                   express-session, fastify-session, nginx-lua
  --growth LIST    numbers of stored sessions (default 1e4,1e6,1e7)
  --quick          one round, two seconds, growth 1e4,1e5: shows that everything works
  --name NAME      the machine's name in the results
  --help
`;

/** Parses the command line. Returns `undefined` for `--help`. Throws a `TypeError` if an option is invalid. */
export function readOptions(args: string[]): Options | undefined {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string", multiple: true, default: [] },
      rounds: { type: "string" },
      seconds: { type: "string" },
      growth: { type: "string" },
      "redis-subjects": { type: "string", default: "" },
      quick: { type: "boolean", default: false },
      name: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const { quick, name } = values;
  return {
    only: values.only.flatMap(wordsOf),
    redisSubjects: wordsOf(values["redis-subjects"]),
    rounds: wholeNumber("rounds", values.rounds ?? (quick ? "1" : "3")),
    seconds: wholeNumber("seconds", values.seconds ?? (quick ? "2" : "5")),
    warmUp: quick ? 1 : 2,
    growth: (values.growth ?? (quick ? "1e4,1e5" : "1e4,1e6,1e7"))
      .split(",")
      .map((text) => wholeNumber("growth", text)),
    quick,
    ...(name === undefined ? {} : { name }),
  };
}

/** Splits a comma-separated list. */
function wordsOf(list: string): string[] {
  return list.split(",").filter((word) => word !== "");
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new TypeError(`--${option}: ${text} is not a number above 0`);
}
