// server/api/sign-in.post.ts

// These stand for your customers. Store passwords only as hashes (Argon2 or scrypt).
const passwords = new Map([
  ["anna", "correct horse"],
  ["bob", "battery staple"],
]);

export default defineEventHandler(async (event) => {
  const { name, password } = await readBody(event);
  if (passwords.get(name) !== password) throw createError({ statusCode: 403, statusMessage: "Refused" });
  // The session gets a new id, and the browser its cookie.
  if (!(await event.context.session?.identify({ customerId: name })))
    throw createError({ statusCode: 503, statusMessage: "Unavailable" });
  return { customer: name };
});
