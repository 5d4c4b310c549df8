import { faultOf, NO_SUCH_COMMAND } from "../connection/faults.ts";
import type { Engine } from "../engine.ts";

/** Queries the memory use of the primaries. Warns once when it finds that Redis may evict sessions. */
export class MemoryWatch {
  readonly #engine: Engine;
  #bytes: number | undefined;
  #isForbidden = false;
  #mayEvict = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Memory in use on all primaries, in bytes; `undefined` if the user of Redis may not query it. */
  get bytes(): number | undefined {
    return this.#bytes;
  }

  async query(): Promise<void> {
    if (this.#isForbidden) return;
    try {
      const { connection } = this.#engine;
      const primaries = [...connection.primaries().values()];
      const replies = primaries.map((primary) => connection.query(primary, "info", "memory"));
      const infos = (await Promise.all(replies)).map(String);
      this.#bytes = infos.reduce((sum, info) => sum + numberIn(info, "used_memory"), 0);
      this.#checkPolicy(infos);
    } catch (error) {
      if (!["NOPERM", NO_SUCH_COMMAND].includes(faultOf(error).code)) return;
      this.#isForbidden = true;
      this.#bytes = undefined;
      this.#engine.options.events.noticed(
        "info",
        "the user of Redis may not run INFO: there is no metric antechamber_store_size_bytes, and no warning if Redis may evict sessions",
      );
    }
  }

  #checkPolicy(infos: readonly string[]): void {
    const policies = infos.filter((info) => numberIn(info, "maxmemory") > 0).map(policyIn);
    const evicting = policies.find((policy) => policy !== "noeviction" && policy !== undefined);
    if (evicting !== undefined && !this.#mayEvict) {
      this.#engine.options.events.noticed(
        "warn",
        `Redis removes live sessions when its memory is full (maxmemory-policy ${evicting}): set maxmemory-policy to noeviction`,
      );
    }
    this.#mayEvict = evicting !== undefined;
  }
}

function numberIn(info: string, name: string): number {
  return Number(new RegExp(`^${name}:(\\d+)`, "m").exec(info)?.[1] ?? 0);
}

function policyIn(info: string): string | undefined {
  return /^maxmemory_policy:([\w-]+)/m.exec(info)?.[1];
}
