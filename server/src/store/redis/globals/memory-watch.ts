import type { Redis } from "ioredis";
import type { Connection } from "../connection/connection.ts";
import { faultOf, NO_SUCH_COMMAND } from "../connection/faults.ts";

/** The memory use that the primaries report. */
export interface MemoryWatch {
  /** Bytes that they hold; `undefined` without the right to query them. */
  readonly bytes: number | undefined;
  look(): Promise<void>;
}

/** Reports once that their settings are wrong, and once that the right to query them is missing. */
export function createMemoryWatch(
  connection: Connection,
  nodes: () => readonly Redis[],
  noticed: (level: "info" | "warn" | "error", message: string) => void,
): MemoryWatch {
  let bytes: number | undefined;
  let isForbidden = false;
  let mayEvict = false;

  function warn(infos: readonly string[]): void {
    const policies = infos.filter((info) => numberIn(info, "maxmemory") > 0).map(policyIn);
    const evicting = policies.find((policy) => policy !== "noeviction" && policy !== undefined);
    if (evicting !== undefined && !mayEvict) {
      noticed(
        "warn",
        `Redis removes live sessions when its memory is full (maxmemory-policy ${evicting}): set maxmemory-policy to noeviction`,
      );
    }
    mayEvict = evicting !== undefined;
  }

  return {
    get bytes() {
      return bytes;
    },
    async look() {
      if (isForbidden) return;
      try {
        const replies = nodes().map((node) => connection.enquire(node, "info", "memory"));
        const infos = (await Promise.all(replies)).map(String);
        bytes = infos.reduce((sum, info) => sum + numberIn(info, "used_memory"), 0);
        warn(infos);
      } catch (error) {
        if (!["NOPERM", NO_SUCH_COMMAND].includes(faultOf(error).code)) return;
        isForbidden = true;
        bytes = undefined;
        noticed(
          "info",
          "the user of Redis may not run INFO: there is no metric antechamber_store_size_bytes, and no warning if Redis may evict sessions",
        );
      }
    },
  };
}

function numberIn(info: string, name: string): number {
  return Number(new RegExp(`^${name}:(\\d+)`, "m").exec(info)?.[1] ?? 0);
}

function policyIn(info: string): string | undefined {
  return /^maxmemory_policy:([\w-]+)/m.exec(info)?.[1];
}
