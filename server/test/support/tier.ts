/** Whether the tests run with larger numbers (`npm run test:long`). */
export const long = process.env["ANTECHAMBER_LONG"] === "1";

/** Whether only the tests run that need nothing except Node, with smaller numbers (`npm run test:quick`). */
export const quick = process.env["ANTECHAMBER_QUICK"] === "1";

/** Returns the number for the tier in which the tests run. */
export function sized(inQuick: number, usual: number, inLong: number): number {
  if (quick) return inQuick;
  return long ? inLong : usual;
}
