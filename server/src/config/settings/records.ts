import { count, duration, listOf, text, word, yesOrNo } from "../kinds.ts";
import type { Setting } from "../setting.ts";

/** Maximum number of services that statistics count by name: `MAX_SERVICES` in `session/statistics.ts`. */
const MAX_SERVICES = 50;

/** The settings of the data that are stored about visitors and readers, and for how long. */
export const recordsSettings = {
  storeVisitors: {
    ...word("policy", ["returning", "always"]),
    default: "returning",
    description:
      "When the first request of a new visitor is stored: returning stores it when the visitor comes back within a minute, so that robots leave nothing behind; always stores it at once",
  },
  recordQueryKeys: {
    schema: listOf(text),
    allowed: "names of query parameters, each once",
    placeholder: "name",
    isList: true,
    default: "",
    description: "Query parameters that are kept in the paths of recorded requests; all others are removed",
  },
  statisticsServices: {
    schema: listOf(text).refine((names) => names.length <= MAX_SERVICES, `at most ${MAX_SERVICES} names`),
    allowed: `up to ${MAX_SERVICES} names of services, each once`,
    placeholder: "name",
    isList: true,
    default: "",
    description:
      "The only services that statistics count by name; all others count as other. Without a list, the first 50 of each minute that servers and proxies name",
  },
  maxRecords: {
    ...count(1, 1_000_000),
    default: "10000",
    description: "Recorded requests that a session keeps; the oldest are removed and counted",
  },
  retention: {
    ...duration("1s", "3650d", ", such as 14d"),
    default: "14d",
    description: "Time for which the timeline of a session is kept after its end",
  },
  customerData: {
    ...word("access", ["change", "read", "none"]),
    default: "change",
    description:
      "What the role customer, with keys for public pages too, may do with session data: change and read them, only read them, or neither. An application that trusts the data, or keeps secrets in them, needs none",
  },
  auditReads: {
    ...yesOrNo,
    default: "false",
    description:
      "Whether the audit trail records who read which timeline and session data: an entry for each reading by any role except customer; an application that reads data by a session id leaves none",
  },
} as const satisfies Record<string, Setting>;
