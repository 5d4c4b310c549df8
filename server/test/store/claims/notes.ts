import type { Step, System } from "./explore.ts";

/*
 * A model of notes: processes that change one session, work off notes, read the index, sweep, and erase the session.
 * Every event is a step: a command, a command whose reply is lost, a copy of a command that arrives late, and the death
 * of a process between two commands. Each id is a bit. The session and its notes are in one slot, the index in another.
 */

/** Checks and orders of steps. Without one of them there is a fault, which the exploration must find. */
export interface NoteGuards {
  /** The script that changes the session also writes the note. */
  readonly note: boolean;
  /** A note is removed after its entries were added. */
  readonly order: boolean;
  /** A reader works off all notes before it reads the index. */
  readonly settle: boolean;
  /** An erasure marks the session before it reads the ids whose entries it removes. */
  readonly mark: boolean;
  /** Entries of a session that was removed from the index are not added again. */
  readonly fence: boolean;
  /** An erasure ends by working off all notes. */
  readonly last: boolean;
}

/** A process: changes the session by adding an id and works its note off; or reads, sweeps, or erases the session. */
export type Role = { readonly adds: number } | "reader" | "sweep" | "eraser";

export interface NoteSetting {
  readonly roles: readonly Role[];
  readonly guards: NoteGuards;
  /** Number of processes that may die. */
  readonly deaths: number;
  /** Number of commands whose reply is lost, or of which a copy arrives late. */
  readonly repetitions: number;
}

interface Note {
  readonly id: number;
  readonly bits: number;
}

interface Process {
  /** The next command; `done` and `dead` have none. */
  readonly doing:
    | "write"
    | "mark"
    | "ids"
    | "unindex"
    | "bury"
    | "read"
    | "index"
    | "remove"
    | "find"
    | "done"
    | "dead";
  /** The notes that the process works off. */
  readonly notes: readonly Note[];
  /** The ids that a reader must find, or has found, or that an eraser removes. */
  readonly bits: number;
}

/** A state of the session, its notes, the index and the processes. */
export interface NoteWorld {
  readonly stored: number;
  readonly state: "live" | "marked" | "buried";
  readonly notes: readonly Note[];
  readonly nextNote: number;
  readonly index: number;
  readonly isFenced: boolean;
  readonly processes: readonly Process[];
  /** The ids whose association was reported as done. */
  readonly reported: number;
  /** Entries that a copy of a command will add. */
  readonly late: readonly number[];
  readonly deaths: number;
  readonly repetitions: number;
}

/** Creates the system of all processes. */
export function noteWorkers(setting: NoteSetting): System<NoteWorld> {
  return {
    initial: {
      stored: 0,
      state: "live",
      notes: [],
      nextNote: 1,
      index: 0,
      isFenced: false,
      processes: setting.roles.map((role) => ({ doing: firstOf(role, setting.guards), notes: [], bits: 0 })),
      reported: 0,
      late: [],
      deaths: setting.deaths,
      repetitions: setting.repetitions,
    },
    next: (world) => [
      ...world.processes.flatMap((process, i) => stepsOf(setting, world, process, i)),
      ...world.late.map((bits, i) => ({
        name: `late index ${bits}`,
        state: { ...addEntries(setting, world, bits), late: world.late.toSpliced(i, 1) },
      })),
    ],
    fault: (world) => faultOf(setting, world),
    key: (world) => JSON.stringify(world),
  };
}

function firstOf(role: Role, guards: NoteGuards): Process["doing"] {
  if (role === "reader") return guards.settle ? "read" : "find";
  if (role === "sweep") return "read";
  if (role === "eraser") return guards.mark ? "mark" : "ids";
  return "write";
}

function stepsOf(setting: NoteSetting, world: NoteWorld, process: Process, i: number): Step<NoteWorld>[] {
  const { doing } = process;
  if (doing === "done" || doing === "dead") return [];
  const after = execute(setting, world, i);
  const steps = [{ name: `${i} ${doing}`, state: after }];
  if (world.repetitions > 0) {
    const rest = { deaths: world.deaths, repetitions: world.repetitions - 1 };
    // The reply is lost, so the process sends the command again.
    const unanswered = { ...after, ...rest, processes: world.processes, reported: world.reported };
    steps.push({ name: `${i} ${doing}, no reply`, state: unanswered });
    const bits = bitsOf(process.notes);
    if (doing === "index")
      steps.push({ name: `${i} index, twice`, state: { ...after, ...rest, late: [...world.late, bits] } });
  }
  if (world.deaths > 0) {
    const dead = { ...world, deaths: world.deaths - 1 };
    steps.push({ name: `${i} dies`, state: withProcess(dead, i, { ...process, doing: "dead" }) });
  }
  return steps;
}

/** Returns the world after the next command of a process and its reply. */
function execute(setting: NoteSetting, world: NoteWorld, i: number): NoteWorld {
  const { guards, roles } = setting;
  const process = world.processes[i] as Process;
  const role = roles[i] as Role;
  const go = (to: NoteWorld, doing: Process["doing"], more: Partial<Process> = {}) =>
    withProcess(to, i, { ...process, doing, ...more });
  const working: Process["doing"] = guards.order ? "index" : "remove";
  switch (process.doing) {
    case "write":
      return write(setting, world, i, (role as { adds: number }).adds);
    case "read": {
      const next = world.notes.length === 0 ? afterWork(role) : working;
      // A reader must find what was reported before it began.
      const bits = role === "reader" ? world.reported : process.bits;
      return go(world, next, { notes: world.notes, bits });
    }
    case "index":
      return go(addEntries(setting, world, bitsOf(process.notes)), guards.order ? "remove" : afterWork(role));
    case "remove": {
      const worked = new Set(process.notes.map(({ id }) => id));
      const left = world.notes.filter(({ id }) => !worked.has(id));
      return go({ ...world, notes: left }, guards.order ? afterWork(role) : "index");
    }
    case "find": {
      const expected = guards.settle ? process.bits : world.reported;
      const isFound = world.state !== "live" || (world.index & expected) === expected;
      return go(world, "done", { bits: isFound ? 0 : -1 });
    }
    case "mark":
      return go({ ...world, state: "marked" }, guards.mark ? "ids" : "unindex");
    case "ids":
      return go(world, guards.mark ? "unindex" : "mark", { bits: world.stored });
    case "unindex":
      return go({ ...world, index: world.index & ~process.bits, isFenced: true }, "bury");
    case "bury":
      return go({ ...world, state: "buried", stored: 0 }, guards.last ? "read" : "done");
    case "done":
    case "dead":
      return world;
  }
}

/** The script that adds an id to the session. A copy that finds the id there changes nothing, and writes no note. */
function write({ guards }: NoteSetting, world: NoteWorld, i: number, bits: number): NoteWorld {
  const process = world.processes[i] as Process;
  if (world.state !== "live") return withProcess(world, i, { ...process, doing: "done" });
  const reported = world.reported | bits;
  if ((world.stored & bits) === bits) return withProcess({ ...world, reported }, i, { ...process, doing: "done" });
  const note = { id: world.nextNote, bits };
  const notes = guards.note ? [...world.notes, note] : world.notes;
  const changed = { ...world, stored: world.stored | bits, notes, nextNote: world.nextNote + 1, reported };
  return withProcess(changed, i, { ...process, doing: guards.order ? "index" : "remove", notes: [note] });
}

function afterWork(role: Role): Process["doing"] {
  return role === "reader" ? "find" : "done";
}

/** add-id-entries.lua */
function addEntries({ guards }: NoteSetting, world: NoteWorld, bits: number): NoteWorld {
  return guards.fence && world.isFenced ? world : { ...world, index: world.index | bits };
}

function withProcess(world: NoteWorld, i: number, process: Process): NoteWorld {
  return { ...world, processes: world.processes.with(i, process) };
}

function bitsOf(notes: readonly Note[]): number {
  return notes.reduce((sum, { bits }) => sum | bits, 0);
}

function faultOf({ roles }: NoteSetting, world: NoteWorld): string | undefined {
  const findable = world.index | bitsOf(world.notes);
  if (world.state === "live" && (world.stored & ~findable) !== 0) {
    return "an id that is stored has neither a note nor an entry";
  }
  for (const [i, { doing, bits }] of world.processes.entries()) {
    if (doing !== "done") continue;
    if (roles[i] === "reader" && bits === -1) return "a reader has missed an id that was reported before";
    if (roles[i] === "eraser" && world.index !== 0) return "an erased session is in the index";
    if (roles[i] === "eraser" && world.notes.length > 0) return "an erased session has a note";
  }
  return undefined;
}
