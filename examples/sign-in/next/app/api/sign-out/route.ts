// app/api/sign-out/route.ts
import { formHandler, redirectTo } from "../../../lib/shop.ts";

export const POST = formHandler(async (_request, { session }) => {
  const response = redirectTo("/");
  // Without Antechamber there is no session to end. The browser forgets the id, and the session expires.
  if (session === null) response.headers.set("Set-Cookie", "sessionId=; Path=/; Max-Age=0");
  else await session.end();
  return response;
});
