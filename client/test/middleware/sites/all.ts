import { startExpress } from "./express.ts";
import { startFastify } from "./fastify.ts";
import { startFetch } from "./fetch.ts";
import { startHono } from "./hono.ts";
import type { StartSite } from "./site.ts";

/** The frameworks with a middleware of their own, by name. */
export const frameworks: ReadonlyMap<string, StartSite> = new Map([
  ["express", startExpress],
  ["fastify", startFastify],
  ["hono", startHono],
  ["fetch", startFetch],
]);
