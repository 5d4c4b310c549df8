import { respond } from "../lib/routes";

// The suite's paths; all others are those of the example.
const paths = /^\/(?:page|health|sign-in|sign-out|count|fail|stream)\b/;

export default defineEventHandler((event) => {
  if (paths.test(event.path)) return respond(toWebRequest(event), event.context.session);
});
