import { readFileSync } from "node:fs";

/** One file of the API page, ready to be sent. */
export interface DocsAsset {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer>;
}

/*
 * The page at /docs shows the API, and can send requests to it. The content security policy forbids the browser to load
 * anything from other servers, and to run inline scripts or style sheets. It allows `data:` URLs of images, because the
 * style sheet of Swagger UI contains icons as such URLs. Swagger UI sets styles through the CSSOM, which the policy
 * does not restrict.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

// Addresses are relative, so that the page also works below a path prefix that a proxy adds.
const INDEX = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Antechamber API</title>
    <link rel="icon" href="docs/favicon-32x32.png">
    <link rel="stylesheet" href="docs/swagger-ui.css">
    <link rel="stylesheet" href="docs/page.css">
  </head>
  <body>
    <noscript>This page needs JavaScript. The same in JSON: <a href="openapi.json">openapi.json</a></noscript>
    <div id="swagger-ui"></div>
    <script src="docs/swagger-ui-bundle.js"></script>
    <script src="docs/page.js"></script>
  </body>
</html>
`;

// Without `validatorUrl: null` the page would send the document's address to a public validator. A response of several
// lines of JSON is shown as text, because Swagger UI would parse it as one JSON value and report an error.
const PAGE_SCRIPT = `SwaggerUIBundle({
  dom_id: "#swagger-ui",
  url: "openapi.json",
  validatorUrl: null,
  deepLinking: true,
  displayRequestDuration: true,
  responseInterceptor(response) {
    const type = response.headers["content-type"] ?? "";
    if (type.startsWith("application/x-ndjson")) response.headers["content-type"] = "text/plain";
    return response;
  },
});
`;

// Hides the column of links, which is always empty. Makes the input field for a request body lower; otherwise it would
// take half a screen. Uses one column on a phone.
const PAGE_STYLE = `.swagger-ui .response-col_links.response-col_links { display: none !important; }
.swagger-ui textarea.body-param__text { min-height: 7em; }
@media (max-width: 640px) {
  .swagger-ui .wrapper { padding: 0 10px; }
  .swagger-ui .opblock .opblock-summary-path { max-width: none; }
  .swagger-ui table.parameters > thead, .swagger-ui table.responses-table > thead { display: none; }
  .swagger-ui table.parameters > tbody, .swagger-ui table.responses-table > tbody,
  .swagger-ui table.parameters > tbody > tr, .swagger-ui table.responses-table > tbody > tr,
  .swagger-ui table.parameters > tbody > tr > td, .swagger-ui table.responses-table > tbody > tr > td {
    display: block;
    width: 100%;
    max-width: none;
    padding: 4px 0;
  }
  .swagger-ui .parameters-col_description input, .swagger-ui .parameters-col_description select {
    width: 100%;
    max-width: none;
  }
}
`;

/** The files by their paths below /docs. They are read at the start, which fails if one is missing. */
const assets: ReadonlyMap<string, DocsAsset> = new Map([
  ["", asset("text/html; charset=utf-8", bytesOf(INDEX))],
  ["/page.js", asset("text/javascript; charset=utf-8", bytesOf(PAGE_SCRIPT))],
  ["/page.css", asset("text/css; charset=utf-8", bytesOf(PAGE_STYLE))],
  packaged("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
  packaged("swagger-ui.css", "text/css; charset=utf-8"),
  packaged("favicon-32x32.png", "image/png"),
  // Redirects /docs/ to /docs, because the addresses in the page are relative to /docs without a slash at the end.
  [
    "/",
    {
      status: 308,
      headers: { ...headersOf("text/plain"), location: "../docs" },
      body: bytesOf(""),
    },
  ],
]);

/** The names of the page's files below /docs. */
export const docsFiles: readonly string[] = [...assets.keys()]
  .map((path) => path.slice(1))
  .filter((name) => name !== "");

/** Returns the file at `path` (`/docs` or below it), or `undefined` if there is none. */
export function docsAsset(path: string): DocsAsset | undefined {
  return path.startsWith("/docs") ? assets.get(path.slice("/docs".length)) : undefined;
}

function asset(contentType: string, body: DocsAsset["body"]): DocsAsset {
  return { status: 200, headers: headersOf(contentType), body };
}

function bytesOf(text: string): DocsAsset["body"] {
  return new TextEncoder().encode(text);
}

function packaged(file: string, contentType: string): [string, DocsAsset] {
  const url = new URL(file, import.meta.resolve("swagger-ui-dist/package.json"));
  return [`/${file}`, asset(contentType, new Uint8Array(readFileSync(url)))];
}

function headersOf(contentType: string): Record<string, string> {
  return {
    "content-type": contentType,
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
  };
}
