/** Whether the tests run with larger numbers (`npm run test:long`). */
export const long = process.env["ANTECHAMBER_LONG"] === "1";

/** Whether only the tests run that need nothing but Node (`npm run test:quick`). */
export const quick = process.env["ANTECHAMBER_QUICK"] === "1";
