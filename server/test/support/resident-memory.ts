// needs: linux

import { readFileSync } from "node:fs";

/** Returns the memory that a process holds now, in bytes (Linux: VmRSS). */
export function residentMemory(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
  if (kilobytes === undefined) throw new Error(`process ${pid} is not there`);
  return Number(kilobytes) * 1024;
}
