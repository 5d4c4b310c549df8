import { readdirSync, readFileSync } from "node:fs";

/** Clock ticks per second in /proc (USER_HZ). It is 100 on all common Linux systems. */
const TICKS = 100;

type Stat = { parent: number; cpuSeconds: number; endedChildrenSeconds: number };

function stat(pid: number): Stat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined; // The process has ended.
  }
  // The name of the program may contain spaces and parentheses, so the fields are counted from the last parenthesis.
  const fields = text
    .slice(text.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  const [parent = 0] = fields.slice(1);
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11);
  return {
    parent,
    cpuSeconds: (user + system) / TICKS,
    endedChildrenSeconds: (childrenUser + childrenSystem) / TICKS,
  };
}

/** Returns the ids of the given processes and of all their descendants. */
export function tree(roots: number[]): number[] {
  const found = new Set(roots);
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    const entry = /^\d+$/.test(name) ? stat(Number(name)) : undefined;
    if (entry) parents.set(Number(name), entry.parent);
  }
  for (let grown = true; grown; ) {
    grown = false;
    for (const [pid, parent] of parents) {
      if (found.has(parent) && !found.has(pid)) {
        found.add(pid);
        grown = true;
      }
    }
  }
  return [...found];
}

/** Returns the CPU time in seconds (user and system) of these processes, with all their threads. */
export function cpuSeconds(pids: number[]): number {
  return pids.reduce((sum, pid) => sum + (stat(pid)?.cpuSeconds ?? 0), 0);
}

/** Returns the CPU time (s) of the load: this process and its descendants, also ended ones, but not the server's. */
export function loadCpuSeconds(server: number[]): number {
  const own = tree([process.pid]).filter((pid) => !server.includes(pid));
  return cpuSeconds(own) + (stat(process.pid)?.endedChildrenSeconds ?? 0);
}

/** Returns the memory of these processes in MiB: the current resident memory, and the sum of their peaks. */
export function memory(pids: number[]): { residentMiB: number; peakMiB: number } {
  let resident = 0;
  let peak = 0;
  for (const pid of pids) {
    try {
      const text = readFileSync(`/proc/${pid}/status`, "utf8");
      resident += Number(/^VmRSS:\s+(\d+)/m.exec(text)?.[1] ?? 0);
      peak += Number(/^VmHWM:\s+(\d+)/m.exec(text)?.[1] ?? 0);
    } catch {
      // The process has ended.
    }
  }
  return { residentMiB: Math.round(resident / 1024), peakMiB: Math.round(peak / 1024) };
}

/** How long a core has worked since the machine was started, in seconds. */
export type CoreTime = {
  /** CPU time of processes, and time that the host gave to other virtual machines ("steal"). */
  busy: number;
  /** CPU time of the kernel in interrupts, mostly for the loopback network. */
  interrupts: number;
};

/** Reads the times of one core. */
export function coreTime(core: number): CoreTime {
  const line = new RegExp(`^cpu${core} (.*)$`, "m").exec(readFileSync("/proc/stat", "utf8"));
  const ticks = (line?.[1] ?? "").split(" ").map(Number);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = ticks;
  return { busy: (user + nice + system + steal) / TICKS, interrupts: (irq + softirq) / TICKS };
}
