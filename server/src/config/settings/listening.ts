import { isIP } from "node:net";
import { z } from "zod";
import { type AddressRange, parseRange } from "../../network/addresses.ts";
import { type BasePath, parseBasePath, repeatedPaths } from "../base-path.ts";
import { count, listOf, printable, refusing, trimmed, word } from "../kinds.ts";
import type { Setting } from "../setting.ts";
import { faultOfOrigin, isHostName } from "../values.ts";

/** The settings of the addresses at which the service listens, and of the callers whom it believes. */
export const listeningSettings = {
  host: {
    schema: trimmed
      .transform((name) => name.replace(/^\[(.*)\]$/, "$1"))
      .refine((name) => isIP(name) !== 0 || isHostName(name)),
    allowed: "an IP address or a host name",
    placeholder: "address",
    default: "127.0.0.1",
    description: "Address to listen on; any other than a loopback address needs an auth other than local",
  },
  port: {
    ...count(0, 65_535),
    default: "8080",
    description: "Port to listen on; 0 takes a free one and the ready line names it",
  },
  socket: {
    schema: printable,
    allowed: "the path of a file, at most 100 bytes",
    placeholder: "file",
    isPath: true,
    default: "",
    description: "Unix socket to listen on, instead of host and port",
  },
  socketMode: {
    ...word("mode", ["0600", "0660"]),
    default: "0600",
    description: "Permissions of the socket: only the server's user may connect, or its group too",
  },
  basePath: {
    schema: listOf(refusing(z.string(), parseBasePath)).superRefine((paths, context) => {
      for (const path of repeatedPaths(paths)) {
        const message = `${path} is given twice; a path has one dialect`;
        context.addIssue({ code: "custom", message });
      }
    }),
    allowed: "paths such as /gks-server/v1 or, with a dialect, /gks-server/v1=8.5.1, each once",
    placeholder: "path",
    parse: (paths: string[]) => paths.map((path) => parseBasePath(path) as BasePath),
    isList: true,
    default: "",
    description:
      "Paths below which the API is served in addition to the root; append = and a dialect for clients of another version: 8.5.0 (the default), 8.5.1, current or v2",
  },
  corsOrigins: {
    schema: listOf(refusing(z.string(), faultOfOrigin)).refine(
      (all) => !all.includes("*") || all.length === 1,
      "* allows every origin, so it must be the only entry",
    ),
    allowed: "origins such as https://shop.example, each once, or * alone for any",
    placeholder: "origin",
    isList: true,
    default: "",
    description: "Origins whose pages may call from a browser (CORS)",
  },
  trustedProxies: {
    schema: listOf(
      refusing(z.string(), (range) =>
        parseRange(range) === undefined ? `${range} is no range, or has bits set after its prefix` : undefined,
      ),
    ),
    allowed: "addresses and ranges such as 10.0.0.0/8, each once",
    placeholder: "range",
    parse: (ranges: string[]) => ranges.map((range) => parseRange(range) as AddressRange),
    isList: true,
    default: "",
    description:
      "Proxies whose X-Forwarded-For and Forwarded headers are believed: limits by address and the audit trail then use the client's address; with auth proxy they also identify the caller",
  },
} as const satisfies Record<string, Setting>;
