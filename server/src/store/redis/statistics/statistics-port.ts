import { MINUTE_MS, type MinuteStatistics, type StatisticsRow, StatisticsSum } from "../../../session/statistics.ts";
import type { StatisticsStore } from "../../ports/statistics.ts";
import type { Engine, Operation } from "../engine.ts";
import { newNonce } from "../layout/nonce.ts";
import { scripts } from "../scripts/scripts.ts";

/*
 * The rows of an hour are a hash: `minute source` → counts, JSON. When an hour is over, the rows of each of its minutes
 * are added up into one, so that many processes take as much memory as one.
 */

const HOUR_MINUTES = 60;
const HOUR_MS = HOUR_MINUTES * MINUTE_MS;
/** Number of minutes after the end of an hour in which processes may still store rows of it. */
const SETTLING_MINUTES = 15;
/** Retention (ms) below which expired sessions may be gone before they are counted. */
const MIN_RETENTION_MS = 120_000;

/** Creates the port of statistics. */
export function statisticsPort(engine: Engine): StatisticsStore {
  let merged = 0;

  async function mergeWhenOver(operation: Operation, minute: number): Promise<void> {
    const hour = Math.floor((minute - SETTLING_MINUTES) / HOUR_MINUTES) - 1;
    if (hour === merged) return;
    await mergeHour(operation, hour);
    merged = hour;
  }

  return {
    storeStatistics: ({ rows, keepFrom, now }) =>
      engine.change(now, async (operation) => {
        await Promise.all(rows.map((row) => storeRow(operation, row, keepFrom)));
        const latest = rows.at(-1);
        if (latest !== undefined) await mergeWhenOver(operation, latest.minute);
      }),
    async readStatistics(from, to) {
      const operation = engine.begin();
      const hours: number[] = [];
      for (let hour = Math.floor(from / HOUR_MINUTES); hour * HOUR_MINUTES < to; hour++) hours.push(hour);
      const found = (await Promise.all(hours.map((hour) => readHour(operation, hour)))).flat();
      return found.filter(({ minute }) => minute >= from && minute < to).toSorted((a, b) => a.minute - b.minute);
    },
    async countLive() {
      if (!countsLive(engine)) return null;
      const operation = engine.begin();
      const count = (await operation.command("hget", operation.keys.eventState, LIVE_FIELD)) as string | null;
      return count === null ? null : Math.max(0, Number(count));
    },
  };
}

/** The field of `event-state` with the number of live sessions. `append-events.lua` maintains it. */
const LIVE_FIELD = "live";

/** Returns whether the number of live sessions is known: each that begins or is over must be in the event log. */
function countsLive({ publishes, options }: Engine): boolean {
  return publishes && options.retention >= MIN_RETENTION_MS;
}

/**
 * Begins to count live sessions in a store that has never published an event. Stops if the settings of a server do not
 * allow it, because the number would be wrong from then on.
 */
export async function initLiveCount(operation: Operation): Promise<void> {
  const { engine, keys } = operation;
  if (!countsLive(engine)) {
    if (engine.options.purpose === "serve") await operation.command("hdel", keys.eventState, LIVE_FIELD);
    return;
  }
  const isUsed = await operation.command("hexists", keys.eventState, "due");
  if (isUsed === 0) await operation.command("hsetnx", keys.eventState, LIVE_FIELD, 0);
}

/** Adds `change` to the number of live sessions, if it is known. */
export async function changeLiveCount(operation: Operation, change: number): Promise<void> {
  const { keys } = operation;
  if (change === 0 || (await operation.command("hexists", keys.eventState, LIVE_FIELD)) === 0) return;
  await operation.write("hincrby", keys.eventState, LIVE_FIELD, change);
}

async function storeRow(operation: Operation, { minute, source, counts }: StatisticsRow, keepFrom: number) {
  const hour = Math.floor(minute / HOUR_MINUTES);
  const lifeMs = (hour + 1 - keepFrom / HOUR_MINUTES) * HOUR_MS;
  if (lifeMs <= 0) return;
  const args = [Math.ceil(lifeMs), `${minute} ${source}`, counts];
  await operation.change(scripts.storeStatistics, [operation.keys.statistics(hour)], args);
}

async function readHour(operation: Operation, hour: number): Promise<StatisticsRow[]> {
  const reply = (await operation.command("hgetall", operation.keys.statistics(hour))) as string[];
  const rows: StatisticsRow[] = [];
  for (let i = 0; i + 1 < reply.length; i += 2) {
    const [minute = "", source = ""] = (reply[i] as string).split(" ");
    rows.push({ minute: Number(minute), source, counts: reply[i + 1] as string });
  }
  return rows;
}

/** Adds up the rows of each minute of an hour. Several processes may try at the same time: one of them succeeds. */
async function mergeHour(operation: Operation, hour: number): Promise<void> {
  const byMinute = Map.groupBy(await readHour(operation, hour), ({ minute }) => minute);
  for (const [minute, rows] of byMinute) {
    if (rows.length < 2) continue;
    const sum = new StatisticsSum();
    for (const { counts } of rows) sum.add(JSON.parse(counts) as MinuteStatistics);
    const fields = rows.map(({ source }) => `${minute} ${source}`);
    const args = [`${minute} ${newNonce()}`, JSON.stringify(sum.toStatistics()), ...fields];
    await operation.prepare(scripts.mergeStatistics, [operation.keys.statistics(hour)], args);
  }
}
