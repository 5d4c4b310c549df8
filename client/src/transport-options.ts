import type { TransportOptions } from "./call.ts";
import { type Check, checkOptions, commonChecks, isType } from "./option-checks.ts";

const transportChecks: Record<keyof TransportOptions, Check> = {
  ...commonChecks,
  fetch: isType("function"),
  attempts: [(value) => Number.isInteger(value) && Number(value) > 0, "a whole number above 0"],
};

/** Throws a `TypeError` if an option is invalid. `call` is the name of the called function, for the message. */
export function checkTransportOptions(call: string, options: TransportOptions): void {
  checkOptions(call, options, transportChecks);
}

/** Throws a `TypeError` if an option of a session store is invalid. `call` is the name of the called function. */
export function checkStoreOptions(call: string, options: unknown): void {
  checkOptions(call, options, commonChecks);
}
