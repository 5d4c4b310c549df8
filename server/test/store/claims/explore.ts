import type { Random } from "../../faults/random.ts";

/** Something that moves in steps, of which several may be possible at a time. */
export interface System<State> {
  readonly initial: State;
  /** Every step that may come next. */
  next(state: State): readonly Step<State>[];
  /** What must never be, in words; `undefined` when all is well. */
  fault(state: State): string | undefined;
  /** The same text for the same state. */
  key(state: State): string;
}

export interface Step<State> {
  readonly name: string;
  readonly state: State;
}

export interface Exploration {
  readonly states: number;
  readonly steps: number;
  /** The first fault found, with the shortest way there; `undefined` when there is none. */
  readonly fault: string | undefined;
}

/** How a state was reached. */
interface Visited<State> {
  readonly state: State;
  readonly name: string;
  readonly from: Visited<State> | undefined;
}

/** Goes through every state that can be reached, the near ones first, until one is at fault. */
export function exploreAll<State>(system: System<State>): Exploration {
  const first = { state: system.initial, name: "", from: undefined };
  const seen = new Set([system.key(system.initial)]);
  let frontier: Visited<State>[] = [first];
  let steps = 0;
  while (frontier.length > 0) {
    const following: Visited<State>[] = [];
    for (const visited of frontier) {
      const fault = system.fault(visited.state);
      if (fault !== undefined) return { states: seen.size, steps, fault: told(fault, visited) };
      for (const { name, state } of system.next(visited.state)) {
        steps++;
        const key = system.key(state);
        if (seen.has(key)) continue;
        seen.add(key);
        following.push({ state, name, from: visited });
      }
    }
    frontier = following;
  }
  return { states: seen.size, steps, fault: undefined };
}

/** How many steps a walk has at the most. */
const LONGEST = 300;

/** Walks `runs` times from the start to the end, by chance, until a state is at fault; states may come again. */
export function exploreByChance<State>(
  system: System<State>,
  random: Random,
  runs: number,
): Exploration {
  let [states, steps] = [0, 0];
  for (let run = 0; run < runs; run++) {
    let visited: Visited<State> = { state: system.initial, name: "", from: undefined };
    // Where time stands still somebody may wait for it forever.
    for (let length = 0; length < LONGEST; length++) {
      states++;
      const fault = system.fault(visited.state);
      if (fault !== undefined) return { states, steps, fault: told(fault, visited) };
      const next = system.next(visited.state);
      if (next.length === 0) break;
      steps++;
      visited = { ...random.pick(next), from: visited };
    }
  }
  return { states, steps, fault: undefined };
}

function told<State>(fault: string, visited: Visited<State>): string {
  const names: string[] = [];
  for (let at: Visited<State> | undefined = visited; at?.from !== undefined; at = at.from) {
    names.unshift(at.name);
  }
  return `${fault}, after:\n${names.map((name) => `  ${name}`).join("\n")}`;
}
