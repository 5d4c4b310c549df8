import { respond } from "../../lib/routes";
import { visitors } from "../../lib/visitors";

export const GET = visitors.withSession((request, { session }) => respond(request, session));
export const POST = GET;
