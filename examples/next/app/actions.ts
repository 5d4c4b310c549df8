// app/actions.ts
"use server";

import { redirect } from "next/navigation";
import { currentSession } from "../lib/visitors";

// These stand for your customers. Store passwords only as hashes (Argon2 or scrypt).
const passwords = new Map([
  ["anna", "correct horse"],
  ["bob", "battery staple"],
]);

export async function signIn(form: FormData): Promise<void> {
  const name = String(form.get("name"));
  if (passwords.get(name) !== form.get("password")) redirect("/?refused=true");
  const session = await currentSession();
  // The session gets a new id, and the browser its cookie.
  if (!(await session?.identify({ customerId: name }))) redirect("/?unavailable=true");
  redirect("/");
}

export async function signOut(): Promise<void> {
  const session = await currentSession();
  await session?.end();
  redirect("/");
}
