import { fileURLToPath } from "node:url";
import { createAdministration } from "@antechamber/client/administration";
import { sessionOf, sessions } from "@antechamber/client/express";
import { createTransport } from "@antechamber/client/transport";
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from "express";
import { customerOf } from "./customers.ts";
import { createDevicePages } from "./devices.ts";
import { messagePage } from "./pages/help.ts";
import { layout } from "./pages/layout.ts";
import { createAgentPages, createHelpPages, createVisitPages, type Show } from "./routes.ts";
import { sameOriginOnly } from "./same-origin.ts";
import { createScripts } from "./scripts.ts";
import { createVisits } from "./visits.ts";

/** The help centre as an Express application. */
export interface Site {
  readonly app: Express;
  /** Delivers the last records. */
  close(): Promise<void>;
}

const assets = fileURLToPath(new URL("./assets/", import.meta.url));

/** Creates the site. The site's server and the browsers both reach Antechamber at `antechamberUrl`. */
export function createSite(antechamberUrl: string): Site {
  const middleware = sessions({
    url: antechamberUrl,
    service: "help-centre",
    // Longer than the default, because the first response may take longer on a busy machine.
    deadline: 5000,
    // The script in the pages must be able to read the cookie, because it records in the same session.
    cookie: { httpOnly: false },
    // Files and the agents' pages are not part of a visit.
    ignore: ["/assets", "/scripts", "/agent"],
  });
  const transport = createTransport({ url: antechamberUrl, timeout: 5000 });
  const administration = createAdministration({ url: antechamberUrl, timeout: 5000 });
  const visits = createVisits();
  const show: Show = (request, response, page, status = 200) => {
    const customer = customerOf(sessionOf(request)?.customerId);
    const html = layout(page, { customer, antechamberUrl, path: request.path });
    response.status(status).set("cache-control", "no-store").type("html").send(html);
  };
  const note: RequestHandler = (request, _response, next) => {
    const session = sessionOf(request);
    if (session !== null) visits.saw(session);
    next();
  };

  const app = express();
  app.disable("x-powered-by");
  app.use(secured(antechamberUrl));
  app.use("/assets", express.static(assets));
  app.use("/scripts", createScripts());
  app.use(middleware, note, sameOriginOnly, express.urlencoded({ limit: "1kb" }));
  app.use(createHelpPages(show));
  app.use(createVisitPages({ show, transport, middleware, visits }));
  app.use(createDevicePages({ show, administration, middleware }));
  app.use(createAgentPages({ show, transport, middleware, visits }));
  app.use((request, response) => {
    show(request, response, messagePage("Not found", "There is no such page."), 404);
  });
  app.use(brokenPage(show));
  return { app, close: () => middleware.close() };
}

/** Sets headers that let the browser run only the site's scripts, and connect only to the site and Antechamber. */
function secured(antechamberUrl: string): RequestHandler {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    `connect-src 'self' ${new URL(antechamberUrl).origin}`,
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
  return (_request, response, next) => {
    response.set({
      "content-security-policy": policy,
      "x-content-type-options": "nosniff",
      "referrer-policy": "same-origin",
    });
    next();
  };
}

function brokenPage(show: Show): ErrorRequestHandler {
  return (error, request, response, next) => {
    if (response.headersSent) return next(error);
    const status = statusOf(error);
    if (status >= 500) console.error(error);
    show(request, response, messagePage("That did not work", "Please try it again."), status);
  };
}

/** Returns the status of an error. Errors of Express and of its body parser have the member `status`. */
function statusOf(error: unknown): number {
  const status = error instanceof Error && "status" in error ? error.status : undefined;
  return typeof status === "number" ? status : 500;
}
