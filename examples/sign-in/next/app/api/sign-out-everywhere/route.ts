// app/api/sign-out-everywhere/route.ts
import { administration, formHandler, redirectTo } from "../../../lib/shop.ts";

export const POST = formHandler(async (_request, { session }) => {
  if (!session?.customerId) return new Response("Nobody is signed in.\n", { status: 403 });
  const { customerId } = session;
  await session.end();
  await administration.endByFilter({ customerId });
  return redirectTo("/");
});
