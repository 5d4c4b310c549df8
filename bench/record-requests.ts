import type { RequestTemplate } from "./requests.ts";

/** Number of records in a request: the same as the middleware sends under load. */
export const BATCH = 100;

/** A path of about 40 characters, like that of a typical web page. */
const path = (index: number) => `/help/articles/${10_000 + index}/reset-a-password`;

/** The request that nginx sends to the service for each page (`examples/nginx`). `{ticket}` is the session id. */
export const forwardAuth: RequestTemplate = {
  method: "GET",
  path: "/forward-auth",
  headers: {
    "x-original-method": "GET",
    "x-original-uri": `${path(0)}?page=2`,
    "x-forwarded-host": "help.example.org",
    "x-forwarded-proto": "https",
    cookie: "sessionId={ticket}",
  },
};

/** Returns a request with `BATCH` records of different pages for one session, all of the last second. */
export function recordBatch(): RequestTemplate {
  const now = Date.now();
  const records = Array.from({ length: BATCH }, (_, index) => ({
    method: "GET",
    path: path(index),
    status: index % 20 === 0 ? 404 : 200,
    startedAt: now - 10 * (BATCH - index),
    durationMs: 5 + index / 8,
    service: "help.example.org",
  }));
  return {
    method: "POST",
    path: "/sessions/{ticket}/requests",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(records),
  };
}

/** A request for a page of the application that uses the middleware. `{ticket}` is the session id. */
export const article: RequestTemplate = {
  method: "GET",
  path: `${path(0)}?page=2`,
  headers: { cookie: "sessionId={ticket}" },
};
