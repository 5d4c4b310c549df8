import { type Delivery, sessionOf } from "@antechamber/client/express";
import type { Transport } from "@antechamber/client/transport";
import { type Request, type Response, Router } from "express";
import { articleOf } from "./articles.ts";
import { customerOf } from "./customers.ts";
import { deviceName } from "./devices.ts";
import { articlePage, awayPage, homePage, messagePage, searchPage } from "./pages/help.ts";
import type { Page } from "./pages/layout.ts";
import { signInPage } from "./pages/sign-in.ts";
import { agentPage, agentVisitPage, visitPage } from "./pages/visit.ts";
import { MAX_SEARCH, search } from "./search.ts";
import { readTimeline, type VisitTimeline } from "./timeline.ts";
import type { Visits } from "./visits.ts";

/** Sends a page as the response to a request. */
export type Show = (request: Request, response: Response, page: Page, status?: number) => void;

interface VisitParts {
  readonly show: Show;
  readonly transport: Pick<Transport, "timeline">;
  readonly middleware: Delivery;
  readonly visits: Visits;
}

const unknown = messagePage("Not found", "There is no such page.");

/** Creates the routes of the pages that need only the articles. */
export function createHelpPages(show: Show): Router {
  return Router()
    .get("/", (request, response) => show(request, response, homePage()))
    .get("/search", (request, response) => {
      const { q } = request.query;
      const terms = typeof q === "string" ? q.slice(0, MAX_SEARCH).trim() : "";
      show(request, response, searchPage(terms, search(terms)));
    })
    .get("/articles/:slug", (request, response) => {
      const article = articleOf(request.params.slug);
      if (article === undefined) show(request, response, unknown, 404);
      else show(request, response, articlePage(article));
    });
}

/** Creates the routes for signing in and out and for the timeline. Express 5 catches errors of async handlers. */
export function createVisitPages(parts: VisitParts): Router {
  const { show } = parts;
  return Router()
    .get("/visit", (request, response) => showVisit(parts, request, response))
    .get("/sign-in", (request, response) => {
      show(request, response, signInPage(customerOf(sessionOf(request)?.customerId)));
    })
    .post("/sign-in", (request, response) => signIn(parts, request, response))
    .post("/sign-out", (request, response) => signOut(request, response));
}

/** Creates the routes of the pages for the shop's agents. */
export function createAgentPages(parts: VisitParts): Router {
  const { show, visits } = parts;
  return Router()
    .get("/agent", (request, response) => show(request, response, agentPage(visits.list())))
    .get("/agent/visits/:number", (request, response) =>
      showAgent(parts, Number(request.params.number), request, response),
    );
}

async function showVisit(parts: VisitParts, request: Request, response: Response): Promise<void> {
  const session = sessionOf(request);
  const timeline = session === null ? undefined : await latest(parts, session.sessionId);
  if (timeline === undefined) parts.show(request, response, awayPage, 503);
  else parts.show(request, response, visitPage(timeline));
}

async function signIn(parts: VisitParts, request: Request, response: Response): Promise<void> {
  const { customer: id } = (request.body ?? {}) as { readonly customer?: unknown };
  const customer = customerOf(id);
  const session = sessionOf(request);
  if (customer === undefined) return parts.show(request, response, signInPage(undefined), 400);
  const isDone = await session?.identify(
    { customerId: customer.id },
    { label: deviceName(request.headers["user-agent"]) },
  );
  if (session === null || !isDone) return parts.show(request, response, awayPage, 503);
  parts.visits.saw(session);
  response.redirect(303, "/visit");
}

/** Ends the session. The visitor's next request has no session and gets a new one. */
async function signOut(request: Request, response: Response): Promise<void> {
  const session = sessionOf(request);
  // If Antechamber is unavailable, the cookie is still deleted. The session then expires by itself.
  if (session === null) response.clearCookie("sessionId", { path: "/", sameSite: "lax" });
  else await session.end();
  response.redirect(303, "/");
}

async function showAgent(parts: VisitParts, number: number, request: Request, response: Response): Promise<void> {
  const visit = parts.visits.find(number);
  if (visit === undefined) return parts.show(request, response, unknown, 404);
  const timeline = await latest(parts, visit.sessionId);
  if (timeline === undefined) parts.show(request, response, awayPage, 503);
  else parts.show(request, response, agentVisitPage(visit, timeline));
}

/** Returns the timeline with all records until now; `undefined` if Antechamber does not respond. */
async function latest({ transport, middleware }: VisitParts, sessionId: string): Promise<VisitTimeline | undefined> {
  try {
    await middleware.flush();
    return await readTimeline(transport, sessionId);
  } catch {
    return undefined;
  }
}
