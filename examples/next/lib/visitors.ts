// lib/visitors.ts
import { sessions } from "@antechamber/client/next";
import { cookies, headers } from "next/headers";

export const visitors = sessions({
  url: process.env.ANTECHAMBER_URL ?? "http://127.0.0.1:8080",
  key: process.env.ANTECHAMBER_KEY,
  service: "shop",
});

/** Returns the visitor's session, in server components and server actions. */
export const currentSession = async () => visitors.session(await headers(), await cookies());
