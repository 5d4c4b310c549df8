import { ProblemError } from "../problem-error.ts";

/**
 * Returns the result of `work`. Rejects with the code `timeout` if `work` takes longer than `milliseconds`; `work` then
 * continues in the background.
 */
export async function withDeadline<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ProblemError({ code: "timeout" })), milliseconds);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
