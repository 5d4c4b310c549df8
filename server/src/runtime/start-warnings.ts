import { statSync } from "node:fs";

/** A warning that is logged at the start. */
export interface Warning {
  readonly message: string;
  readonly details: Readonly<Record<string, string>>;
}

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** How far (ms) the data's latest time may be ahead without a warning; clocks are often corrected by less. */
const AHEAD_TOLERATED = 10_000;
/** If the clock is ahead of the latest time in the data by more than this (ms), the clock may be wrong. */
const JUMP = DAY;
/** How long (ms) nothing is deleted after a start with a doubtful clock, so that an operator can stop the server. */
const HELD_FOR = 10 * MINUTE;

/** The result of comparing the machine's clock with the latest time in the data. */
export interface ClockCheck {
  readonly warning: Warning | undefined;
  /**
   * For this time (ms) after the start, sessions are purged only up to the latest time in the data; 0 if the clock is
   * plausible.
   */
  readonly holdPurgeFor: number;
}

/**
 * Compares the machine's clock (`wall`) with the latest time in the data (both Unix ms). If the clock is wrong and far
 * ahead, the purge would at once delete all data whose retention seems to be over.
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

/** Returns a warning if other users can enter the data folder, which contains the secrets and all sessions. */
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
