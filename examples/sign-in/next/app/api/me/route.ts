// app/api/me/route.ts
import { withSession } from "../../../lib/shop.ts";

export const GET = withSession((_request, { session }) => Response.json({ customer: session?.customerId ?? null }));
