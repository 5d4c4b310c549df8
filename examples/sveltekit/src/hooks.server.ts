// src/hooks.server.ts
import { sessions } from "@antechamber/client/sveltekit";

export const handle = sessions({
  url: process.env.ANTECHAMBER_URL ?? "http://127.0.0.1:8080",
  key: process.env.ANTECHAMBER_KEY,
  service: "shop",
});

// Delivers the last records.
process.on("sveltekit:shutdown", () => handle.close());
