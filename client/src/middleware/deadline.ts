import { ProblemError } from "../problem-error.ts";

/**
 * What `work` gives, or a rejection with the code `timeout` when it takes longer than so many
 * milliseconds: it is not waited for any more then, whatever it is doing.
 */
export async function withDeadline<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ProblemError({ code: "timeout" })), milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
