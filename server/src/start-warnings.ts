import { statSync } from "node:fs";
import type { Config } from "./config/config.ts";

/** What a start warns of; the log writes it. */
export interface Warning {
  readonly message: string;
  readonly details: Readonly<Record<string, string>>;
}

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** By how much (ms) the data may be ahead of the clock: clocks are set back by less all the time. */
const AHEAD_TOLERATED = 10_000;
/** From here on (ms) a clock that has gone forward since the data was used may as well be wrong. */
const JUMP = DAY;
/** How long (ms) after such a start nothing is deleted, so that somebody can stop it. */
const HELD_FOR = 10 * MINUTE;

/** How the machine's clock and the data agree at a start. */
export interface ClockCheck {
  readonly warning: Warning | undefined;
  /** Sessions are swept by the time that the data had before, for so long (ms). */
  readonly holdSweepFor: number;
}

/**
 * Compares the machine's clock (`wall`) with the latest time that the data has seen, both in ms since 1970.
 * A wrong clock that is ahead would have everything deleted that is past its retention by it, at once.
 */
export function checkClock(wall: number, lastSeen: number): ClockCheck {
  const details = { lastUsed: timeText(lastSeen), clock: timeText(wall) };
  if (lastSeen - wall > AHEAD_TOLERATED) {
    const message = `the data was used at a time that is ${spanText(lastSeen - wall)} ahead of this machine's clock: the service goes on from that time, and sessions expire by it. If the clock is wrong, set it and start again; if it was wrong before, times stay ahead until it has caught up.`;
    return { warning: { message, details }, holdSweepFor: 0 };
  }
  if (wall - lastSeen <= JUMP) return { warning: undefined, holdSweepFor: 0 };
  const from = timeText(wall + HELD_FOR);
  const message = `this machine's clock is ${spanText(wall - lastSeen)} ahead of when the data was last used: sessions have expired by it, and what is past its retention is deleted from ${from} on. If the clock is wrong, stop the server before that, set the clock, and restore a backup of before this start.`;
  return { warning: { message, details }, holdSweepFor: HELD_FOR };
}

/** A data folder that others can enter has secrets and everything about sessions in it. */
export function checkFolder({
  store,
  dataDir,
}: Pick<Config, "store" | "dataDir">): Warning | undefined {
  if (store.engine !== "sqlite") return undefined;
  const mode = statSync(dataDir).mode & 0o777;
  if ((mode & 0o077) === 0) return undefined;
  const can = (mode & 0o022) === 0 ? "read" : "written";
  const message = `the data folder can be ${can} by other users of this machine: it has the secrets under which session ids are signed. Run: chmod 700 ${dataDir}`;
  return { message, details: { dataDir, mode: mode.toString(8).padStart(4, "0") } };
}

function timeText(time: number): string {
  return new Date(time).toISOString();
}

function spanText(milliseconds: number): string {
  const minutes = Math.round(milliseconds / MINUTE);
  if (minutes < 2) return `${Math.round(milliseconds / 1000)} seconds`;
  if (minutes < 120) return `${minutes} minutes`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} hours` : `${Math.round(hours / 24)} days`;
}
