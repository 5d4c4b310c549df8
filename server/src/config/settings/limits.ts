import { count, rate } from "../kinds.ts";
import type { Setting } from "../setting.ts";

/** The settings of rate limits and quotas. */
export const limitsSettings = {
  createsPerAddress: {
    ...rate,
    default: "6000/1m",
    description: "Sessions that one client address may create; one more is answered with 429",
  },
  missesPerAddress: {
    ...rate,
    default: "6000/1m",
    description:
      "New sessions that one client address may get by retrieving one that does not exist, or from /forward-auth",
  },
  requestsPerAddress: {
    ...rate,
    default: "60000/1m",
    description: "Other requests of one client address",
  },
  createsPerCredential: {
    ...rate,
    default: "60000/1m",
    description: "Sessions that may be created with one credential",
  },
  missesPerCredential: {
    ...rate,
    default: "60000/1m",
    description:
      "New sessions that one credential may get by retrieving one that does not exist, or from /forward-auth",
  },
  requestsPerCredential: {
    ...rate,
    default: "600000/1m",
    description: "Other requests with one credential",
  },
  maxSessionsPerCustomer: {
    ...count(0, 10_000),
    allowed: "a whole number of 1 to 10000, or 0 for any number",
    default: "0",
    description: "Live sessions that a customer may have at a time; one more is answered with 429",
  },
} as const satisfies Record<string, Setting>;
