// app/api/sign-in/route.ts
import { customers, formHandler, redirectTo } from "../../../lib/shop.ts";

export const POST = formHandler(async (request, { session }) => {
  const form = new URLSearchParams(await request.text());
  const customer = customers.find(({ id, password }) => id === form.get("name") && password === form.get("password"));
  if (customer === undefined) return new Response("Wrong name or password.\n", { status: 403 });
  const isStored = await session?.identify({ customerId: customer.id });
  return isStored ? redirectTo("/") : new Response("Please try again in a moment.\n", { status: 503 });
});
