import type { RequestHandler } from "express";

/**
 * Refuses forms that another site has sent (CSRF). Browsers send the origin of a request in `Sec-Fetch-Site` (Fetch
 * Metadata), older ones in `Origin`. A client that sends neither is not a browser and has no visitor's cookies.
 */
export const sameOriginOnly: RequestHandler = (request, response, next) => {
  if (request.method === "GET" || request.method === "HEAD" || isOwn(request.headers)) return next();
  response.status(403).type("text/plain").send("This form was sent from another site.");
};

function isOwn(headers: Readonly<Record<string, string | string[] | undefined>>): boolean {
  const site = headers["sec-fetch-site"];
  if (site !== undefined) return site === "same-origin";
  const origin = headers["origin"];
  if (origin === undefined) return true;
  return URL.parse(String(origin))?.host === headers["host"];
}
