import assert from "node:assert/strict";
import { FORGED } from "./aliases.ts";
import type { Edit, ProxyProgram } from "./proxy-process.ts";
import { type ProxySetup, startProxySetup } from "./setup.ts";
import { visit } from "./visitor.ts";

/** Number of header names in a request. Each is sent twice; with the proxy's own headers this is within every limit. */
const HEADERS_AT_ONCE = 50;

/** Sends every spelling of every identity header, each twice. Returns the headers that arrived. */
export async function smuggled(
  { proxy, application }: Pick<ProxySetup, "proxy" | "application">,
  names: readonly string[],
  headers: readonly string[] = [],
): Promise<string[]> {
  application.take();
  for (let from = 0; from < names.length; from += HEADERS_AT_ONCE) {
    const forged = names
      .slice(from, from + HEADERS_AT_ONCE)
      .flatMap((name) => [`${name}: ${FORGED}`, `${name}: ${FORGED} again`]);
    const answer = await visit(proxy.port, "/", { headers: [...headers, ...forged] });
    assert.equal(answer.status, 200, proxy.log());
  }
  return application
    .take()
    .flatMap((arrival) => arrival.headers)
    .filter(([, value]) => value.includes(FORGED))
    .map(([name]) => name);
}

/** Calls `smuggled` with a proxy whose example `edit` has changed. */
export async function smuggledThrough(program: ProxyProgram, names: readonly string[], edit: Edit): Promise<string[]> {
  await using setup = await startProxySetup(program, edit);
  return await smuggled(setup, names);
}
