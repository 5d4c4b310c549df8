import { NextResponse } from "next/server";
import { visitors } from "./lib/visitors";

export const proxy = visitors.proxy((_request, { headers }) => NextResponse.next({ request: { headers } }));

export const config = { matcher: "/((?!_next/static|favicon.ico|page/unproxied).*)" };
