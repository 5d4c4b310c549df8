import type { Configuration, Health, SettingInfo } from "@antechamber/client/protocol";
import type { Config } from "../../config/config.ts";
import type { LifecycleStore } from "../../store/ports/lifecycle.ts";
import { json } from "../api-response.ts";

export interface OperationHandlerParts {
  readonly config: Pick<Config, "auth" | "store">;
  readonly settings: readonly SettingInfo[];
  readonly version: string;
  readonly store: Pick<LifecycleStore, "status">;
  readonly isStopping: () => boolean;
}

/** Creates the handlers that show administrators the process that responds. */
export function createOperationHandlers({ config, settings, version, store, isStopping }: OperationHandlerParts) {
  const startedAt = new Date().toISOString();

  return {
    configuration: () => json({ settings } satisfies Configuration),

    health() {
      const { writable, pending, bytes, lostShards, shardsToRepair } = store.status();
      const health: Health = {
        status: isStopping() ? "stopping" : writable ? "ok" : "unavailable",
        version,
        runtime: runtimeName,
        startedAt,
        auth: config.auth,
        memoryBytes: process.memoryUsage.rss(),
        store: {
          engine: config.store.engine,
          isWritable: writable,
          pendingChanges: pending,
          bytes: bytes ?? null,
          lostShards,
          shardsToRepair,
        },
      };
      return json(health);
    },
  };
}

const { bun, node } = process.versions;
const runtimeName = bun === undefined ? `node ${node}` : `bun ${bun}`;
