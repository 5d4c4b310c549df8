// src/routes/+page.server.ts
import { fail } from "@sveltejs/kit";
import type { Actions, PageServerLoad } from "./$types";

// These stand for your customers. Store passwords only as hashes (Argon2 or scrypt).
const passwords = new Map([
  ["anna", "correct horse"],
  ["bob", "battery staple"],
]);

export const load: PageServerLoad = ({ locals }) => ({ customer: locals.session?.customerId ?? null });

export const actions: Actions = {
  signIn: async ({ request, locals }) => {
    const form = await request.formData();
    const name = String(form.get("name"));
    if (passwords.get(name) !== form.get("password")) return fail(403);
    // The session gets a new id, and the browser its cookie.
    if (!(await locals.session?.identify({ customerId: name }))) return fail(503);
  },
  signOut: async ({ locals }) => {
    await locals.session?.end();
  },
};
