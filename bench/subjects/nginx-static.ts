import { sessionInfo } from "../peers/session-info.ts";
import { byPath, UNIQUE_LENGTH } from "../requests.ts";
import { inBody, type Subject } from "../subject.ts";
import { startNginx } from "./nginx.ts";

const id = "x".repeat(UNIQUE_LENGTH);

/** The response for a recognized session. nginx sends it as a static body. */
const BODY = JSON.stringify(sessionInfo("x".repeat(40), { customerId: id, visitId: id, globalVisitId: id }));

const limit = {
  group: "limit",
  durable: "does not apply",
  requests: byPath,
  ticket: inBody,
  operations: ["retrieve", "retrieve-by-fetch"],
} as const;

/** nginx, with the response in its configuration. */
export const nginxReturn: Subject = {
  ...limit,
  operations: [...limit.operations],
  name: "nginx-return",
  title: "nginx, static body from its configuration",
  start: () => startNginx({ server: `location / { default_type application/json; return 200 '${BODY}'; }` }),
};

/** nginx, with the response in a file that nginx keeps open. */
export const nginxFile: Subject = {
  ...limit,
  operations: [...limit.operations],
  name: "nginx-file",
  title: "nginx, static file",
  start: () =>
    startNginx({
      http: "sendfile on; open_file_cache max=16 inactive=1h; open_file_cache_valid 1h;",
      server: "root {folder}; location / { default_type application/json; try_files /body.json =404; }",
      files: { "body.json": BODY },
    }),
};
