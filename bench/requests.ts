/** A template of a request. wrk/requests.lua replaces `{ticket}` and `{unique}` in it by ids. */
export type RequestTemplate = {
  method: "GET" | "PUT" | "POST" | "PATCH";
  path: string;
  headers: Record<string, string>;
  body?: string;
};

/** The length of the id that replaces `{unique}`. */
export const UNIQUE_LENGTH = 32;

/** The headers that Node's `fetch` adds to every request. Only one measurement has them, to show what they cost. */
const FETCH_HEADERS: Record<string, string> = {
  accept: "*/*",
  "accept-language": "*",
  "sec-fetch-mode": "cors",
  "user-agent": "node",
  "accept-encoding": "gzip, deflate",
};

/** The measured requests of the API. They contain the session id in different places: see `byPath` and `byCookie`. */
export type Requests = {
  createAnonymous: RequestTemplate;
  createWithIds: RequestTemplate;
  retrieve: RequestTemplate;
  associate: RequestTemplate;
};

const visitIds = JSON.stringify({ visitId: "{unique}", globalVisitId: "{unique}" });
const visitId = JSON.stringify({ visitId: "{unique}" });
const json = { "content-type": "application/json" };
const customer = { gkc_customerId: "{unique}" };

const createAnonymous: RequestTemplate = { method: "PUT", path: "/sessions/new", headers: {} };
const createWithIds: RequestTemplate = {
  method: "PUT",
  path: "/sessions/new",
  headers: { ...json, ...customer },
  body: visitIds,
};

/** Requests with the session id in the path, as in the Session Management API. */
export const byPath: Requests = {
  createAnonymous,
  createWithIds,
  retrieve: { method: "GET", path: "/sessions/{ticket}", headers: {} },
  associate: {
    method: "POST",
    path: "/sessions/{ticket}",
    headers: { ...json, ...customer },
    body: visitId,
  },
};

/** Requests with the session id in a cookie, as session middleware expects it. */
export const byCookie: Requests = {
  createAnonymous,
  createWithIds,
  retrieve: { method: "GET", path: "/sessions/current", headers: { cookie: "{ticket}" } },
  associate: {
    method: "POST",
    path: "/sessions/current",
    headers: { ...json, ...customer, cookie: "{ticket}" },
    body: visitId,
  },
};

/** Returns the request with the headers that Node's `fetch` would add. */
export function byFetch(request: RequestTemplate): RequestTemplate {
  return { ...request, headers: { ...request.headers, ...FETCH_HEADERS } };
}

/** Returns the request to associate ids that also gives the session a new id. Only our service has it. */
export function rotating(associate: RequestTemplate): RequestTemplate {
  const members = JSON.parse(associate.body ?? "{}") as Record<string, string>;
  return { ...associate, body: JSON.stringify({ ...members, rotate: true }) };
}

/** Replaces `{ticket}` and `{unique}` in a text by ids. */
export function fill(text: string, ticket: string, unique: () => string): string {
  return text.replaceAll("{ticket}", ticket).replaceAll("{unique}", unique);
}

/** Formats a request as it is sent over HTTP. It still contains `{ticket}` and `{unique}`. */
export function wire(request: RequestTemplate, host: string): string {
  const headers: Record<string, string> = {
    host,
    connection: "keep-alive",
    ...request.headers,
  };
  if (request.method !== "GET") {
    const body = fill(request.body ?? "", "", () => "0".repeat(UNIQUE_LENGTH));
    headers["content-length"] = String(body.length);
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${request.method} ${request.path} HTTP/1.1\r\n${lines.join("")}\r\n${request.body ?? ""}`;
}
