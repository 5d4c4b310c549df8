import { ProblemError } from "../problem-error.ts";

/**
 * Returns the result of `work`. Rejects with the code `timeout` if `work` takes longer than `milliseconds`; `work` then
 * continues in the background.
 */
export function withDeadline<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new ProblemError({ code: "timeout" })), milliseconds);
    const settle =
      <R>(end: (result: R) => void) =>
      (result: R) => {
        clearTimeout(timer);
        end(result);
      };
    work.then(settle(resolve), settle(reject));
  });
}
