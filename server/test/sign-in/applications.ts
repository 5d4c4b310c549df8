import { fileURLToPath } from "node:url";
import { type ExampleApplication, inFlask, onThisRuntime } from "../support/example-application.ts";

/** An application of `docs/sign-in.md`. Its `home` is the page that shows who is signed in. */
export interface Application extends ExampleApplication {
  /** The beginning of the paths of its forms. */
  readonly forms: string;
  /** Whether it gets its sessions from nginx, with the configuration in `examples/nginx`. */
  readonly isBehindNginx: boolean;
}

const nextServer = fileURLToPath(new URL("next-server.ts", import.meta.url));
const usual = { folder: "sign-in", home: "/", forms: "", isBehindNginx: false };

/** All applications of `docs/sign-in.md`. */
export const applications: readonly Application[] = [
  { ...usual, name: "Express", command: onThisRuntime("express.ts") },
  { ...usual, name: "Fastify", command: onThisRuntime("fastify.ts") },
  { ...usual, name: "Next.js", home: "/api/me", forms: "/api", command: onThisRuntime(nextServer) },
  { ...usual, name: "Flask", isBehindNginx: true, command: inFlask },
];
