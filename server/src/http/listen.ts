import type { App } from "./app.ts";
import type { Listener, ListenOptions } from "./listener.ts";

/** Listens with whatever runtime this is. */
export async function listen(app: App, options: ListenOptions): Promise<Listener> {
  const runtime =
    "Bun" in globalThis ? await import("./listen-bun.ts") : await import("./listen-node.ts");
  return runtime.listen(app, options);
}
