import { ProblemError } from "../problem-error.ts";

/**
 * What `work` gives, or a rejection with the code `timeout` when it takes longer than so many
 * milliseconds: it is not waited for any more then, whatever it is doing.
 */
export async function withDeadline<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new ProblemError({ code: "timeout" })), milliseconds);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
