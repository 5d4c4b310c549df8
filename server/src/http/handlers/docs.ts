import { Refusal } from "../../session/errors.ts";
import { type ApiResponse, apiFields } from "../api-response.ts";
import type { Call } from "../call.ts";
import { type OpenApiOptions, openApiDocument } from "../openapi.ts";
import { docsAsset } from "./docs-page.ts";

const byAccept = { vary: "Accept" };

/** The address is relative, so that it also works below a path prefix that a proxy adds. */
const redirectToPage: ApiResponse = {
  status: 302,
  headers: { ...apiFields, ...byAccept, location: "docs" },
  body: null,
};

const serviceInfo: ApiResponse = {
  status: 200,
  headers: { ...apiFields, ...byAccept },
  body: JSON.stringify({ service: "antechamber", docs: "docs", openapi: "openapi.json" }),
};

/** Creates the handlers of the OpenAPI document, serialized once, and of the page that shows it to people. */
export function createDocsHandlers(options: OpenApiOptions) {
  const body = new TextEncoder().encode(JSON.stringify(openApiDocument(options)));
  return {
    document: (): ApiResponse => ({ status: 200, headers: apiFields, body }),
    /** Redirects a browser to the page. Responds to other programs with the addresses of the page and the document. */
    root: ({ request }: Call): ApiResponse =>
      request.header("accept")?.includes("text/html") === true ? redirectToPage : serviceInfo,
    page({ request }: Call): ApiResponse {
      const asset = docsAsset(request.path);
      if (asset === undefined) throw new Refusal({ code: "not-found" });
      return asset;
    },
  };
}
