import { callbackify } from "node:util";

/** Calls `done` with the result of `work`, as Node's functions with callbacks do. */
export function settle<T>(work: Promise<T>, done: (error: unknown, result?: T) => void): void {
  callbackify(() => work)(done);
}
