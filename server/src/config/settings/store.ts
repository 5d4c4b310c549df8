import { z } from "zod";
import { count, duration, orNull, printable, refusing, text, trimmed } from "../kinds.ts";
import type { Setting } from "../setting.ts";
import { allowedStoreUrls, parseStoreUrl, type StoreUrl } from "../store-url.ts";

/** The settings of the store: where the data are, and how the service reaches them. */
export const storeSettings = {
  dataDir: {
    schema: text,
    allowed: "a folder",
    placeholder: "folder",
    isPath: true,
    default: "./data",
    description: "Folder of the data, created if it is missing; only one server at a time may use it",
  },
  store: {
    schema: refusing(trimmed, parseStoreUrl),
    allowed: allowedStoreUrls,
    placeholder: "store",
    parse: (url: string): StoreUrl => parseStoreUrl(url) as StoreUrl,
    default: "sqlite",
    description: "Where the sessions are kept: SQLite in dataDir, or Redis",
  },
  redisPrefix: {
    schema: trimmed.regex(/^[^{}\p{Cc}]{1,32}$/u),
    allowed: "1 to 32 characters, no braces and no control characters",
    placeholder: "text",
    default: "ac:",
    description: "Prefix of all key names in Redis; each service on one Redis needs its own",
  },
  redisTimeout: {
    ...duration("50ms", "1m"),
    default: "2s",
    description: "Total time that a request waits for Redis before it is answered with 503",
  },
  redisCaFile: {
    schema: printable,
    allowed: "a file with certificates (PEM)",
    placeholder: "file",
    parse: orNull,
    isPath: true,
    default: "",
    description: "Certificates to verify Redis with over TLS, instead of the public ones that the runtime knows",
  },
  redisCertFile: {
    schema: printable,
    allowed: "a file with a certificate (PEM)",
    placeholder: "file",
    parse: orNull,
    isPath: true,
    default: "",
    description: "Certificate of this service for Redis over TLS, if Redis asks for one (tls-auth-clients)",
  },
  redisKeyFile: {
    schema: printable,
    allowed: "a file with a private key (PEM)",
    placeholder: "file",
    parse: orNull,
    isPath: true,
    default: "",
    description: "Private key of redisCertFile",
  },
  sentinelUsername: {
    schema: printable,
    allowed: "text",
    placeholder: "user",
    parse: orNull,
    default: "",
    description: "User name for the sentinels, if they have users of their own (ACL)",
  },
  sentinelPassword: {
    schema: z.string().regex(/^\P{Cc}*$/u),
    allowed: "text without control characters",
    placeholder: "password",
    parse: orNull,
    isSecret: true,
    default: "",
    description: "Password for the sentinels, if they require one; that of Redis is part of store",
  },
  minReplicasAck: {
    ...count(0, 100),
    default: "0",
    description:
      "Replicas of Redis that must confirm a change before it is answered with 200; if they do not in time, the answer is 503 and the outcome unknown",
  },
  storeTimeout: {
    ...duration("10ms", "10m"),
    default: "10s",
    description: "Time that a request waits for the disk (SQLite) before it is answered with 503",
  },
  maxPendingWrites: {
    ...count(1, 10_000_000),
    default: "10000",
    description: "Changes that may wait for the store; one more is answered with 503",
  },
  cacheSessions: {
    ...count(1, 100_000_000),
    default: "100000",
    description: "Sessions kept in memory for retrieval",
  },
} as const satisfies Record<string, Setting>;
