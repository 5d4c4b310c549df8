import type { RequestTemplate } from "./requests.ts";

/** The number of records in a request: as many as the middleware sends under load. */
export const BATCH = 100;

/** About 40 characters, like the path of a page. */
const path = (index: number) => `/help/articles/${10_000 + index}/reset-a-password`;

/** Returns nginx's sub-request for a page, as configured in `examples/nginx`, in one of the sessions. */
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

/** Returns a request with records of the last second, each of another page, for one session. */
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

/** Returns the request of a page of the application with the middleware, in one of the sessions. */
export const article: RequestTemplate = {
  method: "GET",
  path: `${path(0)}?page=2`,
  headers: { cookie: "sessionId={ticket}" },
};
