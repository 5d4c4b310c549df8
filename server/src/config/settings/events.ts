import { z } from "zod";
import { parseRange } from "../../network/addresses.ts";
import { parseAllowedHosts } from "../../network/receivers.ts";
import { duration, listOf, refusing, word } from "../kinds.ts";
import type { Setting } from "../setting.ts";
import { isHostName } from "../values.ts";

/** The settings of events and webhooks. */
export const eventsSettings = {
  events: {
    ...word("which", ["on", "off"]),
    default: "on",
    description:
      "Whether changes of sessions are published in the event log, from which /events and webhooks read; the same for all processes on one Redis",
  },
  eventRetention: {
    ...duration("1s", "14d", ", such as 24h"),
    default: "24h",
    description: "Time for which events are kept, but no longer than retention",
  },
  webhookAllowedHosts: {
    schema: listOf(
      refusing(z.string(), (host) =>
        parseRange(host) === undefined && !isHostName(host)
          ? `${host} is neither a host name nor an address or range, or has bits set after its prefix`
          : undefined,
      ),
    ),
    allowed: "host names, addresses and ranges such as app.internal or 10.0.0.0/8, each once",
    placeholder: "host",
    parse: parseAllowedHosts,
    isList: true,
    default: "",
    description:
      "Hosts to which webhooks may be sent although their addresses are not public, and by plain http; others need https and a public address",
  },
} as const satisfies Record<string, Setting>;
