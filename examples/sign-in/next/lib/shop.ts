// lib/shop.ts: what the route handlers share.
import { createAdministration } from "@antechamber/client/administration";
import { type SessionHandler, sessions } from "@antechamber/client/fetch";

const { ANTECHAMBER_URL: url = "http://127.0.0.1:8080", ANTECHAMBER_KEY: key = "" } = process.env;

export const administration = createAdministration({ url, key });
export const withSession = sessions({ url, key, service: "shop", deadline: 1000 });

// These stand for your customers. Store passwords only as hashes (Argon2 or scrypt).
export const customers = [
  { id: "anna", password: "correct horse" },
  { id: "bob", password: "battery staple" },
];

/** Creates a handler of a form. Without it, any site could sign your visitors in under a name of its choice, or out. */
export function formHandler(handler: SessionHandler<[]>) {
  return withSession((request, context) => {
    const isOwn = (request.headers.get("Sec-Fetch-Site") ?? "same-origin") === "same-origin";
    return isOwn ? handler(request, context) : new Response("This form was sent by another site.\n", { status: 403 });
  });
}

/** Redirects the browser. (After `redirect()` of next/navigation it would not get the session's cookie.) */
export function redirectTo(path: string): Response {
  return new Response(null, { status: 303, headers: { Location: path } });
}
