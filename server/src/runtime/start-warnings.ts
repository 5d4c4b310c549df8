import { statSync } from "node:fs";

/** A warning at a start, for the log. */
export interface Warning {
  readonly message: string;
  readonly details: Readonly<Record<string, string>>;
}

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** How far (ms) the data may be ahead of the clock without a warning: smaller corrections of clocks are normal. */
const AHEAD_TOLERATED = 10_000;
/** If the clock has moved forward by more than this (ms) since the data were used, it may be wrong. */
const JUMP = DAY;
/** How long (ms) nothing is deleted after a start with such a clock, so that an operator can stop the server. */
const HELD_FOR = 10 * MINUTE;

/** The result of comparing the machine's clock with the data at a start. */
export interface ClockCheck {
  readonly warning: Warning | undefined;
  /** How long (ms) sessions are purged only up to the latest time in the data. */
  readonly holdPurgeFor: number;
}

/**
 * Compares the machine's clock (`wall`) with the latest time in the data, both in Unix ms. With a wrong clock
 * that is ahead, everything past its retention by that clock would be deleted at once.
 */
export function checkClock(wall: number, lastSeen: number): ClockCheck {
  const details = { lastUsed: timeText(lastSeen), clock: timeText(wall) };
  if (lastSeen - wall > AHEAD_TOLERATED) {
    const message = `the data was used at a time that is ${spanText(lastSeen - wall)} ahead of this machine's clock: the service continues from that time, and sessions expire by it. If the clock is wrong, set it and start again; if it was wrong before, times stay ahead until the clock has caught up.`;
    return { warning: { message, details }, holdPurgeFor: 0 };
  }
  if (wall - lastSeen <= JUMP) return { warning: undefined, holdPurgeFor: 0 };
  const from = timeText(wall + HELD_FOR);
  const message = `this machine's clock is ${spanText(wall - lastSeen)} ahead of when the data was last used: sessions have expired by it, and data past their retention are deleted from ${from} on. If the clock is wrong, stop the server before that, set the clock, and restore a backup from before this start.`;
  return { warning: { message, details }, holdPurgeFor: HELD_FOR };
}

/** Warns of a data folder that other users can enter: it contains the secrets and all sessions. */
export function checkFolder(dataDir: string): Warning | undefined {
  const mode = statSync(dataDir).mode & 0o777;
  if ((mode & 0o077) === 0) return undefined;
  const can = (mode & 0o022) === 0 ? "read" : "written";
  const message = `the data folder can be ${can} by other users of this machine: it contains the secrets with which session ids are signed. Run: chmod 700 ${dataDir}`;
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
