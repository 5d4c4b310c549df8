import { Refusal } from "../../session/errors.ts";
import { type ApiResponse, apiFields } from "../api-response.ts";
import type { Call } from "../call.ts";
import { type OpenApiOptions, openApiDocument } from "../openapi.ts";
import { preferredType } from "../parse/accept.ts";
import { docsAsset } from "./docs-page.ts";

const byAccept = { vary: "Accept" };

/** Redirects to a relative address, so that it also works below a path prefix that a proxy adds. */
function redirectTo(location: string): ApiResponse {
  return { status: 302, headers: { ...apiFields, ...byAccept, location }, body: null };
}

const serviceInfo: ApiResponse = {
  status: 200,
  headers: { ...apiFields, ...byAccept },
  body: JSON.stringify({ service: "antechamber", docs: "docs", openapi: "openapi.json" }),
};

/**
 * Creates the handlers of the OpenAPI document, serialized once, and of the page that shows it. `console`:
 * whether the console is served.
 */
export function createDocsHandlers({ console, ...options }: OpenApiOptions & { readonly console: boolean }) {
  const redirectToPage = redirectTo(console ? "console/" : "docs");
  const body = new TextEncoder().encode(JSON.stringify(openApiDocument(options)));
  return {
    document: (): ApiResponse => ({ status: 200, headers: apiFields, body }),
    /** Redirects a browser to the console, or to the page of the API. Responds to other programs with the addresses of the page and the document. */
    root: ({ request }: Call): ApiResponse =>
      preferredType(request.header("accept"), ["application/json", "text/html"]) === "text/html"
        ? redirectToPage
        : serviceInfo,
    page({ request }: Call): ApiResponse {
      const asset = docsAsset(request.path);
      if (asset === undefined) throw new Refusal({ code: "not-found" });
      return asset;
    },
  };
}
