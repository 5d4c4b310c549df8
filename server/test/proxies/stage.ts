import assert from "node:assert/strict";
import type { SessionInfo } from "@antechamber/client/protocol";
import { until } from "../support/eventually.ts";
import { type Antechamber, startAntechamber } from "./antechamber.ts";
import { type Application, type Arrival, startApplication } from "./application.ts";
import {
  type Edit,
  type Ports,
  type ProxyProgram,
  type RunningProxy,
  startProxy,
} from "./proxy-process.ts";

/** A proxy between its two neighbours, for the tests of one file. */
export interface Stage extends AsyncDisposable {
  readonly program: ProxyProgram;
  readonly antechamber: Antechamber;
  readonly application: Application;
  readonly proxy: RunningProxy;
}

/** Starts all three; `edit` changes the example before the proxy reads it. */
export async function openStage(program: ProxyProgram, edit?: Edit): Promise<Stage> {
  // What was started ends also when what comes after it does not start.
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

/** The one request that has arrived since the last look; fails when there are none or several. */
export function only(application: Application): Arrival {
  const [arrival, ...others] = application.take();
  assert.ok(arrival !== undefined && others.length === 0, `${others.length} others arrived`);
  return arrival;
}

/** The header line with a visitor's session. */
export function cookieOf(session: SessionInfo): string {
  return `Cookie: theme=dark; sessionId=${session.sessionId}`;
}

/** What `session` looks like to the application. */
export function asHeaders(session: SessionInfo): Record<string, string> {
  const all = {
    "gkc-sessionid": session.sessionId,
    "gkc-customerid": session.customerId,
    "gkc-agentid": session.agentId,
    "gkc-visitid": session.visitId,
    "gkc-globalvisitid": session.globalVisitId,
  };
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
  );
}

const RECORDED_WITHIN = 5000;

/** The requests in a session's timeline, once there are so many. */
export async function recorded(antechamber: Antechamber, sessionId: string, count: number) {
  const read = async () => {
    const { records } = await antechamber.timeline(sessionId);
    return records.filter((entry) => entry.type === "request");
  };
  await until("they are recorded", async () => (await read()).length >= count, RECORDED_WITHIN);
  return await read();
}
