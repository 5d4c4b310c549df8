import { Refusal } from "../session/errors.ts";
import { docsAsset } from "./docs-page.ts";
import { type ApiResponse, apiFields } from "./messages.ts";
import { type OpenApiOptions, openApiDocument } from "./openapi.ts";
import type { Call } from "./sessions.ts";

/** The API's description, for programs and for people. */
export interface DocsHandlers {
  document(): ApiResponse;
  page(call: Call): ApiResponse;
}

/** Handlers for the description of a server with these options; made once, at start. */
export function createDocsHandlers(options: OpenApiOptions): DocsHandlers {
  const body = new TextEncoder().encode(JSON.stringify(openApiDocument(options)));
  return {
    document: () => ({ status: 200, headers: apiFields, body }),
    page({ request }) {
      const asset = docsAsset(request.path);
      if (asset === undefined) throw new Refusal({ code: "not-found" });
      return asset;
    },
  };
}
