import assert from "node:assert/strict";
import type { SessionInfo } from "@antechamber/client/protocol";
import { until } from "../support/eventually.ts";
import { type Antechamber, startAntechamber } from "./antechamber.ts";
import { type Application, type ReceivedRequest, startApplication } from "./application.ts";
import { type Edit, type Ports, type ProxyProgram, type RunningProxy, startProxy } from "./proxy-process.ts";

/** Antechamber, a proxy and an application, for the tests of one file. */
export interface ProxySetup extends AsyncDisposable {
  readonly program: ProxyProgram;
  readonly antechamber: Antechamber;
  readonly application: Application;
  readonly proxy: RunningProxy;
}

/** Starts Antechamber, the proxy and an application; `edit` changes the example before the proxy reads it. */
export async function startProxySetup(program: ProxyProgram, edit?: Edit): Promise<ProxySetup> {
  // If one program does not start, the ones that have started are stopped.
  await using started = new AsyncDisposableStack();
  const antechamber = started.use(await startAntechamber());
  const application = started.use(await startApplication());
  const ports = portsOf(antechamber, application);
  const proxy = started.use(await startProxy(program, ports, edit));
  const all = started.move();
  return {
    program,
    antechamber,
    application,
    proxy,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

export function portsOf(antechamber: Antechamber, application: Application): Ports {
  return { antechamber: antechamber.port, application: application.port };
}

/** Returns the only request that has arrived since the last call. Fails if there is none, or more than one. */
export function takeOnly(application: Application): ReceivedRequest {
  const [arrival, ...others] = application.take();
  assert.ok(arrival !== undefined && others.length === 0, `${others.length} others arrived`);
  return arrival;
}

/** Returns the header line with a visitor's session. */
export function cookieOf(session: SessionInfo): string {
  return `Cookie: theme=dark; sessionId=${session.sessionId}`;
}

/** Returns the identity headers that the application receives for `session`. */
export function identityHeadersOf(session: SessionInfo): Record<string, string> {
  const all = {
    "gkc-sessionid": session.sessionId,
    "gkc-customerid": session.customerId,
    "gkc-agentid": session.agentId,
    "gkc-visitid": session.visitId,
    "gkc-globalvisitid": session.globalVisitId,
  };
  return Object.fromEntries(Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [[name, value]])));
}

const RECORDED_WITHIN_MS = 60_000;

/** Waits until a session's timeline has `count` requests, and returns them. */
export async function untilRecorded(antechamber: Antechamber, sessionId: string, count: number) {
  const read = async () => {
    const { records } = await antechamber.timeline(sessionId);
    return records.filter((entry) => entry.type === "request");
  };
  await until("they are recorded", async () => (await read()).length >= count, RECORDED_WITHIN_MS);
  return await read();
}
