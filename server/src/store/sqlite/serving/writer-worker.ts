import { Worker } from "node:worker_threads";
import { StoreOpenError, type StoreOpenFault } from "../../open-error.ts";
import type { WriterOptions } from "../options.ts";
import type { Group, GroupResult } from "../writer/writer-protocol.ts";

/** The pause (ms) before a thread that has ended is replaced. */
const RESTART_PAUSE = 1000;

/** Events that a writer thread reports. */
export interface WriterWorkerEvents {
  replied(result: GroupResult): void;
  /** The thread has ended unexpectedly. Another one starts soon. */
  died(error: Error): void;
  restarted(): void;
  /** The thread has ended after `close`. */
  closed(): void;
  /** An error that the thread did not catch. */
  failed(error: unknown): void;
}

/** The writer thread, seen from the serving thread. It is replaced when it ends unexpectedly. */
export class WriterWorker {
  readonly #options: WriterOptions;
  readonly #events: WriterWorkerEvents;
  #worker: Worker | undefined;
  #isClosing = false;
  /** Why the thread ends, if it has reported it. */
  #deathCause: Error | undefined;

  constructor(options: WriterOptions, events: WriterWorkerEvents) {
    this.#options = options;
    this.#events = events;
    this.#start();
  }

  /** False after the end of a thread, until the next one has started. */
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
    const { file, files, lifetimes, maxRecords, retention, mergeIndexAt } = this.#options;
    const worker = new Worker(new URL("../writer/writer-thread.ts", import.meta.url), {
      workerData: { file, files, lifetimes, maxRecords, retention, mergeIndexAt },
    });
    worker.on("message", (text: string) => {
      const result = JSON.parse(text) as GroupResult;
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

/** Creates the error of a group. It has no stack: a fault of the disk or the files is not a defect of the code. */
export function storeError(message: string, fault?: StoreOpenFault | null): Error {
  const error = fault
    ? new StoreOpenError(fault, message)
    : Object.assign(new Error(message), { name: "StoreFault" });
  error.stack = `${error.name}: ${message}`;
  return error;
}
