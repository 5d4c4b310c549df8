/** Whether the tests run with larger numbers (`npm run test:long`). */
export const long = process.env["ANTECHAMBER_LONG"] === "1";

/** Whether only tests run that need only Node, with smaller numbers (`npm run test:quick`). */
export const quick = process.env["ANTECHAMBER_QUICK"] === "1";

/** Returns the number for this tier. */
export function sized(inQuick: number, usual: number, inLong: number): number {
  if (quick) return inQuick;
  return long ? inLong : usual;
}
