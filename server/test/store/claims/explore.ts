import type { Random } from "../../support/random.ts";

/** A system that moves in steps. Several steps may be possible at a time. */
export interface System<State> {
  readonly initial: State;
  /** Returns every possible next step. */
  next(state: State): readonly Step<State>[];
  /** Describes what is wrong with a state, or returns `undefined`. */
  fault(state: State): string | undefined;
  /** Returns the same text for equal states. */
  key(state: State): string;
}

export interface Step<State> {
  readonly name: string;
  readonly state: State;
}

export interface Exploration {
  readonly states: number;
  readonly steps: number;
  /** The first fault found, with the shortest path to it; `undefined` if there is none. */
  readonly fault: string | undefined;
}

/** A state and the step that led to it. */
interface Visited<State> {
  readonly state: State;
  readonly name: string;
  readonly from: Visited<State> | undefined;
}

/** Explores all reachable states, nearest first, until one has a fault. */
export function exploreAll<State>(system: System<State>): Exploration {
  const first = { state: system.initial, name: "", from: undefined };
  const seen = new Set([system.key(system.initial)]);
  let frontier: Visited<State>[] = [first];
  let steps = 0;
  while (frontier.length > 0) {
    const following: Visited<State>[] = [];
    for (const visited of frontier) {
      const fault = system.fault(visited.state);
      if (fault !== undefined) return { states: seen.size, steps, fault: pathTo(fault, visited) };
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

/** Maximum number of steps of a walk. */
const LONGEST = 300;

/** Makes `runs` random walks, until a state has a fault. A state that occurs again is counted again. */
export function exploreAtRandom<State>(system: System<State>, random: Random, runs: number): Exploration {
  let [states, steps] = [0, 0];
  for (let run = 0; run < runs; run++) {
    let visited: Visited<State> = { state: system.initial, name: "", from: undefined };
    // The length is limited because a contender may wait forever if the time stands still.
    for (let length = 0; length < LONGEST; length++) {
      states++;
      const fault = system.fault(visited.state);
      if (fault !== undefined) return { states, steps, fault: pathTo(fault, visited) };
      const next = system.next(visited.state);
      if (next.length === 0) break;
      steps++;
      visited = { ...random.pick(next), from: visited };
    }
  }
  return { states, steps, fault: undefined };
}

function pathTo<State>(fault: string, visited: Visited<State>): string {
  const names: string[] = [];
  for (let at: Visited<State> | undefined = visited; at?.from !== undefined; at = at.from) {
    names.unshift(at.name);
  }
  return `${fault}, after:\n${names.map((name) => `  ${name}`).join("\n")}`;
}
