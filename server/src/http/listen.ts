import { type Listener, listen as listenHttp, SocketError } from "@antechamber/http1";
import type { SocketConfig } from "../config/config.ts";
import type { App } from "./app/app.ts";
import { isForwardAuthTarget } from "./handlers/forward-auth.ts";
import { listenError } from "./listen-error.ts";

export interface ListenOptions {
  readonly host: string;
  /** The port; 0 chooses a free one. */
  readonly port: number;
  /** A Unix socket, used instead of host and port. */
  readonly socket: SocketConfig | undefined;
  /** How long requests that are in progress may continue after `close`, in milliseconds. */
  readonly shutdownTimeout: number;
  /** Called with an error that no client can cause. */
  defect(error: unknown): void;
}

/** Serves the application. Rejects if it cannot listen. */
export async function listen(app: App, options: ListenOptions): Promise<Listener> {
  const listener = await listenHttp(app.handle, {
    ...options,
    onDefect: options.defect,
    reject: app.refuseUnread,
    // Sub-requests may have long heads, because proxies forward every header of a browser.
    hasLongHead: isForwardAuthTarget,
  }).catch(async (error: unknown) => {
    throw error instanceof SocketError ? error : await listenError(error, options);
  });
  return {
    port: listener.port,
    get connections() {
      return listener.connections;
    },
    close() {
      app.stop();
      return listener.close();
    },
  };
}
