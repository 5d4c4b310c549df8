import { respond } from "../../routes";

export const GET = ({ request, locals }) => respond(request, locals.session);
export const POST = GET;
