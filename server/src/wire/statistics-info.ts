import type { StatisticsInfo } from "@antechamber/client/protocol";
import type { StatisticsResult } from "../services/statistics.ts";

/** Formats statistics. */
export function statisticsInfo({ range, columns }: StatisticsResult): StatisticsInfo {
  const { since, until, stepMinutes } = range;
  const step = stepMinutes * 60;
  const times: string[] = [];
  for (let at = since; at < until; at += step * 1000) times.push(timeOf(at));
  return { since: timeOf(since), until: timeOf(until), step, times, ...columns };
}

function timeOf(time: number): string {
  return new Date(time).toISOString();
}
