import { randomBytes } from "node:crypto";
import { fill, type RequestTemplate, UNIQUE_LENGTH } from "./requests.ts";

/** Sends the request of a template once. Replaces `{ticket}` and `{unique}` by ids. */
export function send(url: string, request: RequestTemplate, ticket = ""): Promise<Response> {
  const unique = () => randomBytes(UNIQUE_LENGTH / 2).toString("hex");
  const place = (text: string) => fill(text, ticket, unique);
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) headers.set(name, place(value));
  const { method, body } = request;
  return fetch(url + place(request.path), {
    method,
    headers,
    ...(body === undefined ? {} : { body: place(body) }),
  });
}
