import type { App } from "./app.ts";
import type { Listener, ListenOptions } from "./listener.ts";
import { claimSocket, releaseSocket } from "./unix-socket.ts";

/** Listens with whatever runtime this is. */
export async function listen(app: App, options: ListenOptions): Promise<Listener> {
  const runtime =
    "Bun" in globalThis ? await import("./listen-bun.ts") : await import("./listen-node.ts");
  const { socket } = options;
  if (socket === undefined) return runtime.listen(app, options);
  await claimSocket(socket.path);
  const listener = await runtime.listen(app, options);
  return {
    ...listener,
    async close() {
      await listener.close();
      releaseSocket(socket.path);
    },
  };
}
