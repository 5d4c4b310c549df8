import { Refusal } from "../../session/errors.ts";
import { type ApiResponse, apiFields } from "../app/api-response.ts";
import { type OpenApiOptions, openApiDocument } from "../openapi.ts";
import { docsAsset } from "./docs-page.ts";
import type { Call } from "./sessions.ts";

/** The API's description, for programs and for people. */
export interface DocsHandlers {
  document(): ApiResponse;
  /** Redirects a browser that requests `/` to the page, and gives programs the addresses of page and document. */
  root(call: Call): ApiResponse;
  page(call: Call): ApiResponse;
}

const byAccept = { vary: "Accept" };

/** The address is relative, so that it also works below a proxy's prefix. */
const toPage: ApiResponse = {
  status: 302,
  headers: { ...apiFields, ...byAccept, location: "docs" },
  body: null,
};

const whereabouts: ApiResponse = {
  status: 200,
  headers: { ...apiFields, ...byAccept },
  body: JSON.stringify({ service: "antechamber", docs: "docs", openapi: "openapi.json" }),
};

/** Handlers for the description of a server with these options; made once, at start. */
export function createDocsHandlers(options: OpenApiOptions): DocsHandlers {
  const body = new TextEncoder().encode(JSON.stringify(openApiDocument(options)));
  return {
    document: () => ({ status: 200, headers: apiFields, body }),
    root: ({ request }) =>
      request.header("accept")?.includes("text/html") === true ? toPage : whereabouts,
    page({ request }) {
      const asset = docsAsset(request.path);
      if (asset === undefined) throw new Refusal({ code: "not-found" });
      return asset;
    },
  };
}
