import type { AdministrationClient } from "@antechamber/client/administration";
import { type Delivery, type RequestSession, sessionOf } from "@antechamber/client/express";
import type { SessionSummary } from "@antechamber/client/protocol";
import { type Request, type Response, Router } from "express";
import { devicesPage } from "./pages/devices.ts";
import { awayPage } from "./pages/help.ts";
import type { Show } from "./routes.ts";

interface DeviceParts {
  readonly show: Show;
  /** A real site gives it a key of the role `service`, which only the site's server has. */
  readonly administration: Pick<AdministrationClient, "list" | "endByFilter">;
  readonly middleware: Delivery;
}

/** A session that belongs to a customer. */
type OwnSession = RequestSession & { readonly customerId: string };

/** The maximum number of devices that the page shows: those that signed in last. */
const MAX_SHOWN = 50;

/** Creates the routes of "Your devices": where a customer is signed in, and signing out there. */
export function createDevicePages(parts: DeviceParts): Router {
  return Router()
    .get("/devices", (request, response) => showDevices(parts, request, response))
    .post("/devices/end", (request, response) => {
      const { handle } = (request.body ?? {}) as { readonly handle?: unknown };
      // With the customer as a condition, a handle from elsewhere ends nobody else's session.
      const ended = typeof handle === "string" && HANDLE.test(handle) ? { handle } : undefined;
      return endDevices(parts, ended, request, response);
    })
    .post("/devices/end-others", (request, response) => {
      const current = sessionOf(request)?.sessionId;
      return endDevices(parts, current === undefined ? undefined : { except: current }, request, response);
    });
}

const HANDLE = /^[\w-]{24}$/;

async function showDevices(parts: DeviceParts, request: Request, response: Response): Promise<void> {
  const session = sessionOf(request);
  if (session === null) return parts.show(request, response, awayPage, 503);
  if (!isOwn(session)) return response.redirect(303, "/sign-in");
  try {
    const devices = await devicesOf(parts, session);
    const ended = typeof request.query["ended"] === "string" ? Number.parseInt(request.query["ended"], 10) : Number.NaN;
    parts.show(request, response, devicesPage(devices, Number.isNaN(ended) ? undefined : ended));
  } catch {
    parts.show(request, response, awayPage, 503);
  }
}

async function devicesOf(
  { administration }: DeviceParts,
  { customerId, sessionId }: OwnSession,
): Promise<SessionSummary[]> {
  const devices: SessionSummary[] = [];
  for await (const device of administration.list({ customerId, live: true }, { sessionId })) {
    devices.push(device);
    if (devices.length === MAX_SHOWN) break;
  }
  return devices;
}

/** Ends those of the customer's sessions that meet the condition. Without a condition, ends none. */
async function endDevices(
  { show, administration, middleware }: DeviceParts,
  condition: { readonly handle: string } | { readonly except: string } | undefined,
  request: Request,
  response: Response,
): Promise<void> {
  const session = sessionOf(request);
  if (session === null) return show(request, response, awayPage, 503);
  if (!isOwn(session)) return response.redirect(303, "/sign-in");
  const { customerId } = session;
  try {
    // An ended session accepts no records.
    await middleware.flush();
    const ended = condition === undefined ? 0 : await administration.endByFilter({ customerId, ...condition });
    response.redirect(303, `/devices?ended=${ended}`);
  } catch {
    show(request, response, awayPage, 503);
  }
}

function isOwn(session: RequestSession): session is OwnSession {
  return session.customerId !== null;
}

const browsers = [
  [/Edg\//, "Edge"],
  [/OPR\//, "Opera"],
  [/Firefox\//, "Firefox"],
  [/Chrome\//, "Chrome"],
  [/Safari\//, "Safari"],
] as const;
const systems = [
  [/Android/, "Android"],
  [/iPhone|iPad/, "iOS"],
  [/Windows/, "Windows"],
  [/Mac OS X/, "macOS"],
  [/Linux/, "Linux"],
] as const;

/** Returns a name by which people recognize their device, such as "Firefox on Windows", from the header `User-Agent`. */
export function deviceName(userAgent = ""): string {
  const find = (names: typeof browsers | typeof systems) => names.find(([pattern]) => pattern.test(userAgent))?.[1];
  return `${find(browsers) ?? "A browser"} on ${find(systems) ?? "an unknown system"}`;
}
