// server/plugins/antechamber.ts
import { sessions } from "@antechamber/client/nitro";

export default defineNitroPlugin(
  sessions({
    url: process.env.ANTECHAMBER_URL ?? "http://127.0.0.1:8080",
    key: process.env.ANTECHAMBER_KEY,
    service: "shop",
    ignore: ["/_nuxt"],
  }),
);

declare module "h3" {
  interface H3EventContext {
    session: import("@antechamber/client/nitro").RequestSession | null;
  }
}
