/** Calls `done` with the result of `work`, as Node's functions with callbacks do. What `done` throws is not caught. */
export function settle<T>(work: Promise<T>, done: (error: unknown, result?: T) => void): void {
  // `callbackify` of Node does the same, but defines a function with properties for each call, which takes some 3 us.
  work.then(
    (result) => process.nextTick(done, null, result),
    (error: unknown) => process.nextTick(done, error),
  );
}
