import type { Step, System } from "./explore.ts";

/*
 * A model of the event log: processes that change one session, work off its notes, and append their events to the log,
 * which is in another slot. Every event is a step: a command, a command whose reply is lost, a copy of a command that
 * arrives late, and the death of a process between two commands.
 */

/** Checks and orders of steps. Without one of them there is a fault, which the exploration must find. */
export interface EventGuards {
  /** The script that makes the change also writes the note. */
  readonly note: boolean;
  /** A process reads the notes from the oldest one on, and not only its own. */
  readonly head: boolean;
  /** The log knows the last note whose event it has, and skips notes up to it. */
  readonly mark: boolean;
  /** A note is removed after its event was appended. */
  readonly order: boolean;
  /** The events of a batch are appended one after the other. */
  readonly sequence: boolean;
}

/** A process: makes a change and works the notes off, or only works them off. */
export type EventRole = "changer" | "sweep";

export interface EventSetting {
  readonly roles: readonly EventRole[];
  readonly guards: EventGuards;
  /** Number of processes that may die. */
  readonly deaths: number;
  /** Number of commands whose reply is lost, or of which a copy arrives late. */
  readonly repetitions: number;
}

interface Process {
  readonly doing: "change" | "note" | "read" | "append" | "remove" | "done" | "dead";
  /** The note of its own change; 0 without one. */
  readonly own: number;
  /** The notes that it works off, and those of them whose events are not appended yet. */
  readonly notes: readonly number[];
  readonly left: readonly number[];
}

/** A state of the queue, the log and the processes. Notes are numbers that count up. */
export interface EventWorld {
  readonly changes: number;
  readonly notes: readonly number[];
  readonly log: readonly number[];
  readonly mark: number;
  readonly processes: readonly Process[];
  /** Notes whose events a late copy of a command appends. */
  readonly late: readonly number[];
  readonly deaths: number;
  readonly repetitions: number;
}

/** Creates the system of all processes. */
export function eventWorkers(setting: EventSetting): System<EventWorld> {
  const { guards } = setting;
  return {
    initial: {
      ...{
        changes: 0,
        notes: [],
        log: [],
        mark: 0,
        late: [],
        deaths: setting.deaths,
        repetitions: setting.repetitions,
      },
      processes: setting.roles.map((role) => ({
        ...{ doing: role === "changer" ? "change" : "read", own: 0, notes: [], left: [] },
      })),
    },
    next: (world) => [
      ...world.processes.flatMap((process, i) => stepsOf(guards, world, process, i)),
      ...world.late.map((note, i) => ({
        name: `late append ${note}`,
        state: { ...append(guards, world, note), late: world.late.toSpliced(i, 1) },
      })),
    ],
    fault: faultOf,
    key: (world) => JSON.stringify(world),
  };
}

function stepsOf(guards: EventGuards, world: EventWorld, process: Process, i: number): Step<EventWorld>[] {
  if (process.doing === "done" || process.doing === "dead") return [];
  const steps = execute(guards, world, process, i);
  if (world.repetitions > 0 && process.doing === "append") {
    const rest = { repetitions: world.repetitions - 1 };
    for (const { name, state } of [...steps]) {
      // The reply is lost, so the process sends the command again; or a copy of it arrives later.
      steps.push({ name: `${name}, no reply`, state: { ...state, ...rest, processes: world.processes } });
      const [note = 0] = process.left.filter((one) => !state.processes[i]?.left.includes(one));
      steps.push({ name: `${name}, twice`, state: { ...state, ...rest, late: [...world.late, note] } });
    }
  }
  if (world.deaths > 0) {
    const dead = withProcess(world, i, { ...process, doing: "dead" });
    steps.push({ name: `${i} dies`, state: { ...dead, deaths: world.deaths - 1 } });
  }
  return steps;
}

/** Returns the possible results of the next command of a process. */
function execute(guards: EventGuards, world: EventWorld, process: Process, i: number): Step<EventWorld>[] {
  const go = (to: EventWorld, more: Partial<Process>) => [
    { name: `${i} ${process.doing}`, state: withProcess(to, i, { ...process, ...more }) },
  ];
  switch (process.doing) {
    case "change": {
      const own = world.changes + 1;
      const changed = { ...world, changes: own };
      if (!guards.note) return go(changed, { doing: "note", own });
      return go({ ...changed, notes: [...world.notes, own] }, { doing: "read", own });
    }
    case "note":
      return go({ ...world, notes: [...world.notes, process.own] }, { doing: "read" });
    case "read": {
      const notes = guards.head ? world.notes : world.notes.filter((note) => note === process.own);
      if (notes.length === 0) return go(world, { doing: "done" });
      return go(world, { doing: guards.order ? "append" : "remove", notes, left: notes });
    }
    case "append": {
      const candidates = guards.sequence ? process.left.slice(0, 1) : process.left;
      return candidates.map((note) => {
        const left = process.left.filter((one) => one !== note);
        const doing = left.length > 0 ? "append" : guards.order ? "remove" : "done";
        const state = withProcess(append(guards, world, note), i, { ...process, left, doing });
        return { name: `${i} append ${note}`, state };
      });
    }
    case "remove": {
      const notes = world.notes.filter((note) => !process.notes.includes(note));
      return go({ ...world, notes }, { doing: guards.order ? "done" : "append" });
    }
    case "done":
    case "dead":
      return [];
  }
}

/** append-events.lua */
function append({ mark }: EventGuards, world: EventWorld, note: number): EventWorld {
  if (mark && note <= world.mark) return world;
  return { ...world, log: [...world.log, note], mark: Math.max(world.mark, note) };
}

function withProcess(world: EventWorld, i: number, process: Process): EventWorld {
  return { ...world, processes: world.processes.with(i, process) };
}

function faultOf(world: EventWorld): string | undefined {
  const { log, notes, changes } = world;
  if (new Set(log).size < log.length) return "an event is in the log twice";
  if (log.some((note, i) => note < (log[i - 1] ?? 0))) return "events are out of order";
  const isOver = world.processes.every(({ doing }) => doing === "done" || doing === "dead");
  const lost = Array.from({ length: changes }, (_, i) => i + 1).filter((note) => !log.includes(note));
  if (isOver && lost.some((note) => !notes.includes(note))) return "a change has neither a note nor an event";
  if (isOver && lost.some((note) => note <= world.mark)) return "the event of a note will never be appended";
  return undefined;
}
