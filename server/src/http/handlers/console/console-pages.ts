import { hash } from "node:crypto";
import { Refusal } from "../../../session/errors.ts";
import type { ApiResponse } from "../../api-response.ts";
import type { Call } from "../../call.ts";
import type { ConsoleFile } from "../../console-file.ts";
import { preferredCoding } from "../../parse/accept.ts";
import { readEntityTags } from "../../parse/entity-tags.ts";

/** The path of the console's page among its files. */
const PAGE = "index.html";
/** The script that pages of other origins include, with the element `<antechamber-timeline>`. */
const EMBEDDED = "timeline.js";
/** The folder of the files whose names contain a hash of their contents. */
const HASHED = "assets/";

/*
 * The browser loads nothing from other servers and runs no inline scripts. No other page may show the console in a frame,
 * and a page that opens it gets no reference to its window.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

/** Security headers of everything below `/console`. */
const consoleFields = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
} as const;

const contentTypes: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  ico: "image/x-icon",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  png: "image/png",
  svg: "image/svg+xml",
  txt: "text/plain; charset=utf-8",
  webmanifest: "application/manifest+json",
  woff2: "font/woff2",
};

/** The redirect from `/console` to `/console/`. It is relative, so that it also works below a prefix of a proxy. */
const redirectToPage: ApiResponse = {
  status: 308,
  headers: { ...consoleFields, "cache-control": "no-cache", location: "console/" },
  body: null,
};

/** Creates the handlers that serve the console's page and files (decision 0071). */
export function createConsolePages(files: readonly ConsoleFile[]) {
  const byPath = new Map(files.filter(({ path }) => path !== PAGE).map((file) => [file.path, variantsOf(file)]));
  const page = files.find(({ path }) => path === PAGE);
  const html = page && new TextDecoder().decode(page.bytes);

  return {
    root: (): ApiResponse => redirectToPage,

    /** Responds with a file, or with the page, which shows the view that its path names. */
    file({ request }: Call): ApiResponse {
      const path = request.path.slice("/console/".length);
      const variants = byPath.get(path);
      if (variants !== undefined) return fileResponse(variants, request);
      if (html === undefined || path.startsWith(HASHED)) throw new Refusal({ code: "not-found" });
      return pageResponse(html, path, request);
    },
  };
}

interface Variant {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer>;
}

interface Variants {
  readonly plain: Variant;
  readonly br: Variant | undefined;
  readonly gzip: Variant | undefined;
}

function variantsOf({ path, bytes, brotli, gzip }: ConsoleFile): Variants {
  const caching = path.startsWith(HASHED) ? "public, max-age=31536000, immutable" : "no-cache";
  const tag = tagOf(bytes);
  const common = {
    ...consoleFields,
    ...(path === EMBEDDED ? { "cross-origin-resource-policy": "cross-origin" } : {}),
    "content-type": contentTypes[path.slice(path.lastIndexOf(".") + 1)] ?? "application/octet-stream",
    "cache-control": caching,
    vary: "Accept-Encoding",
  };
  const variant = (coding: "br" | "gzip", body: Uint8Array<ArrayBuffer> | undefined): Variant | undefined =>
    body && { headers: { ...common, etag: `"${tag}-${coding}"`, "content-encoding": coding }, body };
  return {
    plain: { headers: { ...common, etag: `"${tag}"` }, body: bytes },
    br: variant("br", brotli),
    gzip: variant("gzip", gzip),
  };
}

function fileResponse({ plain, br, gzip }: Variants, request: Call["request"]): ApiResponse {
  const variants = { br, gzip };
  const codings = (["br", "gzip"] as const).filter((coding) => variants[coding] !== undefined);
  const coding = preferredCoding(request.header("accept-encoding"), codings);
  return withTag((coding && variants[coding]) ?? plain, request);
}

/** Returns the page with the addresses of its files relative to `path`, the part of the request's path below `/console/`. */
function pageResponse(html: string, path: string, request: Call["request"]): ApiResponse {
  const depth = path.split("/").length - 1;
  const body = new TextEncoder().encode(html.replaceAll('="./', `="${"../".repeat(depth) || "./"}`));
  const headers = {
    ...consoleFields,
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-cache",
    etag: `"${tagOf(body)}"`,
  };
  return withTag({ headers, body }, request);
}

/** Returns the response, or 304 if the browser has it already (RFC 9110, section 13.1.2). */
function withTag({ headers, body }: Variant, request: Call["request"]): ApiResponse {
  const known = readEntityTags(request.header("if-none-match") ?? "") ?? [];
  const isKnown = known === "*" || known.some(({ opaque }) => `"${opaque}"` === headers["etag"]);
  if (!isKnown) return { status: 200, headers, body };
  const { "content-type": _type, "content-encoding": _coding, ...kept } = headers;
  return { status: 304, headers: kept, body: null };
}

function tagOf(bytes: Uint8Array): string {
  return hash("sha256", bytes, "base64url").slice(0, 22);
}
