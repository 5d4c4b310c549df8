/** A part of the server, and what it may import besides itself. */
export interface Part {
  /** The part's files: paths relative to `server/src`. */
  readonly holds: RegExp;
  /** Name in ARCHITECTURE.md. */
  readonly name: string;
  /** Description in ARCHITECTURE.md. */
  readonly contents: string;
  /** Parts that it may import. */
  readonly may: readonly string[];
  /** Parts of which it may import only types. */
  readonly types?: readonly string[];
  /** The only packages and `node:` modules that it may import; any if absent. */
  readonly packages?: readonly string[];
}

/**
 * The parts of the server. `imports.test.ts` fails if a file belongs to no part. `npm run docs:write` writes the table
 * in ARCHITECTURE.md from this.
 */
export const parts: Readonly<Record<string, Part>> = {
  session: {
    holds: /^session\//,
    name: "`session/`",
    contents: "the rules: pure functions, the time is passed in",
    may: [],
    packages: ["node:crypto"],
  },
  clock: {
    holds: /^runtime\/clock\.ts$/,
    name: "`runtime/clock.ts`",
    contents: "a clock that never runs backwards",
    may: [],
  },
  version: {
    holds: /^runtime\/version\.ts$/,
    name: "`runtime/version.ts`",
    contents: "the version of the service",
    may: [],
    packages: ["node:fs"],
  },
  network: {
    holds: /^network\//,
    name: "`network/`",
    contents: "IP addresses and ranges",
    may: [],
    packages: ["node:net", "ipaddr.js"],
  },
  limits: {
    holds: /^limits\//,
    name: "`limits/`",
    contents: "rate limiters, of one process or shared by several",
    may: [],
    packages: [],
  },
  "safe-error": {
    holds: /^logging\/safe-error\.ts$/,
    name: "`logging/safe-error.ts`",
    contents: "errors without ids and secrets, for logs and messages",
    may: [],
    packages: [],
  },
  log: {
    holds: /^logging\/log\.ts$/,
    name: "`logging/log.ts`",
    contents: "the log",
    may: ["safe-error"],
    packages: ["pino"],
  },
  ports: {
    holds: /^store\/(ports\/)?[^/]+\.ts$/,
    name: "`store/ports/`",
    contents: "the interfaces that a store engine implements",
    may: ["session"],
  },
  sqlite: {
    holds: /^store\/sqlite\//,
    name: "`store/sqlite/`",
    contents: "the SQLite engine ([design](server/src/store/sqlite/DESIGN.md))",
    may: ["ports", "session", "clock", "safe-error"],
  },
  redis: {
    holds: /^store\/redis\//,
    name: "`store/redis/`",
    contents: "the Redis engine ([design](server/src/store/redis/DESIGN.md))",
    may: ["ports", "session", "safe-error"],
    types: ["limits"],
  },
  services: {
    holds: /^services\//,
    name: "`services/`",
    contents: "the use cases, those of operators with their audit entries",
    may: ["ports", "session", "clock"],
  },
  wire: {
    holds: /^wire\//,
    name: "`wire/`",
    contents: "sessions, timelines and exports as JSON",
    may: ["session", "client"],
    types: ["services"],
  },
  webhooks: {
    holds: /^webhooks\//,
    name: "`webhooks/`",
    contents: "delivering events to receivers: queues, workers, the sender",
    may: ["ports", "session", "network", "wire"],
    packages: ["node:crypto", "node:dns/promises", "node:http", "node:https", "node:timers/promises"],
  },
  config: {
    holds: /^config\//,
    name: "`config/`",
    contents: "the settings: declared once, read from flags, environment and file",
    may: ["network", "safe-error"],
    types: ["session", "limits"],
  },
  control: {
    holds: /^control\//,
    name: "`control/`",
    contents: "the control socket, by which the command line reaches a running server",
    may: ["services", "session", "clock", "wire", "safe-error"],
    types: ["ports", "client"],
  },
  "http-app": {
    holds: /^http\/(app\/|listen)/,
    name: "`http/app/`",
    contents: "the route table, admission, refusals, completion",
    may: ["http-handlers", "http", "http-auth", "http-parse", "http1", "session"],
    types: ["services", "ports", "clock", "config"],
  },
  "http-handlers": {
    holds: /^http\/(handlers\/|openapi\.ts$)/,
    name: "`http/handlers/`",
    contents: "a handler for each operation, the dialects, the API's description",
    may: ["http", "http-auth", "http-parse", "http1", "services", "session", "wire", "client"],
    types: ["ports", "clock", "config"],
  },
  "http-auth": {
    holds: /^http\/auth\//,
    name: "`http/auth/`",
    contents: "who calls: the authenticators of the modes",
    may: ["http-parse", "services", "session", "network"],
    types: ["http1", "ports", "clock", "config"],
  },
  "http-parse": {
    holds: /^http\/parse\//,
    name: "`http/parse/`",
    contents: "ids, filters, records and keys in requests, validated",
    may: ["http1", "session", "client"],
    types: ["services"],
    packages: ["node:crypto", "@antechamber/http1"],
  },
  http: {
    holds: /^http\//,
    name: "`http/*.ts`",
    contents: "what the handlers use: calls, responses, problems, metrics, rate limits",
    may: ["http-auth", "session", "limits", "client"],
    types: ["http1", "ports", "config", "network"],
  },
  migrate: {
    holds: /^migrate\//,
    name: "`migrate/`",
    contents: "copying one store into another, and comparing them",
    may: ["session", "webhooks"],
    types: ["ports", "clock"],
  },
  runtime: {
    holds: /^runtime\//,
    name: "`runtime/`",
    contents: "the composition root: opens, starts and closes everything",
    may: [
      ...["services", "http", "http-app", "http-auth", "control", "limits", "sqlite", "redis", "webhooks", "network"],
      ...["ports", "session", "clock", "config", "version", "log", "safe-error"],
    ],
    types: ["http1"],
  },
  cli: {
    holds: /^cli(\.ts$|\/)/,
    name: "`cli.ts`, `cli/`",
    contents: "the command line",
    may: [
      ...["runtime", "control", "migrate", "sqlite", "ports", "services", "session"],
      ...["clock", "config", "version", "log", "safe-error"],
    ],
    types: ["client"],
  },
  client: {
    holds: /^\.\.\/\.\.\/client\//,
    name: "`client/`",
    contents: "another workspace: the types of the API, the client for browsers and servers, and the middleware",
    may: [],
  },
  http1: {
    holds: /^\.\.\/\.\.\/packages\/http1\//,
    name: "`packages/http1/`",
    contents: "another workspace: the HTTP/1.1 server ([README](packages/http1/README.md))",
    may: [],
    packages: ["bun", "node:fs", "node:http", "node:net", "node:path"],
  },
};

/** Returns the key of the part that contains a file (path relative to `server/src`). */
export function partOf(file: string): string | undefined {
  return Object.keys(parts).find((name) => parts[name]?.holds.test(file));
}

/** Returns the Markdown table of the parts for ARCHITECTURE.md. */
export function partsTable(): string {
  const nameOf = (part: string) => parts[part]?.name ?? part;
  const rows = Object.values(parts).map(({ name, contents, may, types = [] }) => {
    const imports = [...may.map(nameOf), ...(types.length > 0 ? [`types of ${types.map(nameOf).join(", ")}`] : [])];
    return `| ${name} | ${contents} | ${imports.join(", ") || "nothing"} |`;
  });
  return ["| part | contents | may import |", "| --- | --- | --- |", ...rows].join("\n");
}

/** Packages that only the listed parts may import. */
export const owners: Readonly<Record<string, readonly string[]>> = {
  "node:sqlite": ["sqlite"],
  commander: ["cli"],
  "@clack/prompts": ["cli"],
  "ipaddr.js": ["network"],
  leven: ["config"],
  jose: ["http-auth"],
  oauth4webapi: ["http-auth"],
};
