import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type Antechamber, startAntechamber } from "./antechamber.ts";
import { createSite } from "./site.ts";
import { startTraffic } from "./traffic.ts";

/** A running help centre. */
export interface HelpCentre {
  readonly url: string;
  /** URL of Antechamber's console. */
  readonly consoleUrl: string;
  /**
   * Waits for the requests in progress, delivers the last records, and stops all that `startHelpCentre` has started.
   */
  close(): Promise<void>;
}

export interface HelpCentreOptions {
  /** Port of the site; with 0, a free port is chosen. */
  readonly port: number;
  /** URL of an Antechamber that already runs and allows the site's origin. By default the site starts one. */
  readonly antechamberUrl?: string | undefined;
  /** Whether invented visitors use the site, so that the console has something to show; `false` by default. */
  readonly traffic?: boolean | undefined;
}

/** Maximum time (ms) that closing the site waits for requests in progress. */
const PATIENCE = 3000;

/** Starts the site on the loopback address. Also starts Antechamber, unless `antechamberUrl` is given. */
export async function startHelpCentre(options: HelpCentreOptions): Promise<HelpCentre> {
  const server = createServer();
  server.listen(options.port, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  // The site's port is opened first: Antechamber must know the origin of the pages that may call it.
  const origins = [`http://127.0.0.1:${port}`, `http://localhost:${port}`];
  let own: Antechamber | undefined;
  try {
    if (options.antechamberUrl === undefined) own = await startAntechamber(origins);
  } catch (error) {
    server.close();
    throw error;
  }
  const antechamberUrl = options.antechamberUrl ?? own?.url ?? "";
  const site = createSite(antechamberUrl);
  const traffic = options.traffic ? startTraffic(antechamberUrl) : undefined;
  server.on("request", site.app);
  return {
    url: `http://127.0.0.1:${port}`,
    consoleUrl: new URL("/console/", antechamberUrl).href,
    async close() {
      await traffic?.close();
      const closed = once(server, "close");
      server.close();
      server.closeIdleConnections();
      const impatience = setTimeout(() => server.closeAllConnections(), PATIENCE);
      await closed;
      clearTimeout(impatience);
      await site.close();
      await own?.close();
    },
  };
}
