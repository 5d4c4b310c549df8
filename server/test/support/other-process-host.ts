// Runs the servers of other-process.ts.
import { renameSync, writeFileSync } from "node:fs";
import { serve, type TestServer, type TestServerOptions } from "./in-process.ts";
import type { RemoteCall, RemoteResult } from "./other-process.ts";

const servers = new Map<number, TestServer>();

async function carryOut({ server: number, name, argument }: RemoteCall): Promise<unknown> {
  if (name === "start") servers.set(number, await serve(argument as TestServerOptions));
  const server = servers.get(number);
  if (server === undefined) throw new Error(`there is no server ${number}`);
  const { url, port, dataDir } = server;
  switch (name) {
    case "start":
      return { url, port, dataDir };
    case "restart":
      await server.restart();
      return { url: server.url, port: server.port, dataDir };
    case "stop":
      return await server.stop();
    case "close":
      servers.delete(number);
      return await server[Symbol.asyncDispose]();
    case "log":
    case "now":
      return server[name]();
    default:
      return server[name](argument as number);
  }
}

async function answer(call: RemoteCall): Promise<void> {
  const result: RemoteResult = await carryOut(call).then(
    (value) => ({ value }),
    (error: unknown) => ({ error: String(error instanceof Error ? error.stack : error) }),
  );
  // The result must appear in its file completely or not at all.
  writeFileSync(`${call.file}.new`, JSON.stringify(result));
  renameSync(`${call.file}.new`, call.file);
  process.send?.("answered");
}

process.on("message", (call: RemoteCall) => void answer(call));
process.on("disconnect", () => process.exit());
