// app/api/me/route.ts
import { visitors } from "../../../lib/visitors";

export const GET = visitors.withSession((_request, { session }) =>
  Response.json({ customer: session?.customerId ?? null }),
);
