import { Worker } from "node:worker_threads";
import { StoreOpenError, type StoreOpenFault } from "../../open-error.ts";
import type { WriterOptions } from "../options.ts";
import { resultIn } from "../writer/messages.ts";
import type { Group, GroupReply, GroupResult } from "../writer/writer-protocol.ts";

/** The pause (ms) between the end of a thread and the start of the next one. */
const RESTART_PAUSE = 1000;

/** Events of the writer thread. */
export interface WriterWorkerEvents {
  replied(result: GroupResult): void;
  /** The thread has ended unexpectedly. A new one starts after `RESTART_PAUSE`. */
  died(error: Error): void;
  restarted(): void;
  /** The thread has ended after `close`. */
  closed(): void;
  /** The thread has thrown an error that it did not catch. */
  failed(error: unknown): void;
}

/** The writer thread as the serving thread sees it. When it ends unexpectedly, a new thread replaces it. */
export class WriterWorker {
  readonly #options: WriterOptions;
  readonly #events: WriterWorkerEvents;
  #worker: Worker | undefined;
  #isClosing = false;
  /** The reason why the thread ends, if the thread has reported it. */
  #deathCause: Error | undefined;

  constructor(options: WriterOptions, events: WriterWorkerEvents) {
    this.#options = options;
    this.#events = events;
    this.#start();
  }

  /** False from the end of a thread until the next one has started. */
  get isRunning(): boolean {
    return this.#worker !== undefined;
  }

  send(group: Group): void {
    this.#worker?.postMessage(group);
  }

  close(): void {
    this.#isClosing = true;
    this.#worker?.postMessage("close");
  }

  #start(): void {
    const { file, files, lifetimes, maxRecords, retention, eventRetention, mergeIndexAt } = this.#options;
    const worker = new Worker(new URL("../writer/writer-thread.ts", import.meta.url), {
      workerData: { file, files, lifetimes, maxRecords, retention, eventRetention, mergeIndexAt },
    });
    worker.on("message", (reply: GroupReply) => {
      const result = resultIn(reply);
      if (result.kind === "dead") this.#deathCause = storeError(result.message, result.fault);
      else this.#events.replied(result);
    });
    worker.on("error", (error) => this.#events.failed(error));
    worker.on("exit", () => this.#exited());
    this.#worker = worker;
  }

  #exited(): void {
    this.#worker = undefined;
    if (this.#isClosing) {
      this.#events.closed();
      return;
    }
    this.#events.died(this.#deathCause ?? storeError("the writer thread ended unexpectedly"));
    this.#deathCause = undefined;
    setTimeout(() => {
      this.#start();
      this.#events.restarted();
    }, RESTART_PAUSE);
  }
}

/** Creates the error of a failed command or group, without stack frames: the cause is the disk or the files. */
export function storeError(message: string, fault?: StoreOpenFault | null): Error {
  const error = fault ? new StoreOpenError(fault, message) : Object.assign(new Error(message), { name: "StoreFault" });
  error.stack = `${error.name}: ${message}`;
  return error;
}
