// proxy.ts
import { NextResponse } from "next/server";
import { visitors } from "./lib/visitors";

export const proxy = visitors.proxy((_request, { headers }) => NextResponse.next({ request: { headers } }));

// Files need no session.
export const config = { matcher: "/((?!_next/static|_next/image|favicon.ico).*)" };
