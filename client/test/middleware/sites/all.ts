import { startExpress } from "./express.ts";
import { startFastify } from "./fastify.ts";
import { startFetch } from "./fetch.ts";
import { startHono } from "./hono.ts";
import type { StartSite } from "./site.ts";

/** All frameworks that have a middleware in the package, by name. */
export const frameworks: ReadonlyMap<string, StartSite> = new Map([
  ["express", startExpress],
  ["fastify", startFastify],
  ["hono", startHono],
  ["fetch", startFetch],
]);
