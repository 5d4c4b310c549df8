import { startExpress } from "./express.ts";
import { startFastify } from "./fastify.ts";
import { startFetch } from "./fetch.ts";
import { startHono } from "./hono.ts";
import type { StartSite } from "./site.ts";

/** Every framework that has a middleware of its own, by its name. */
export const frameworks: ReadonlyMap<string, StartSite> = new Map([
  ["express", startExpress],
  ["fastify", startFastify],
  ["hono", startHono],
  ["fetch", startFetch],
]);
