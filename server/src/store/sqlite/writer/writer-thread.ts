import { parentPort, workerData } from "node:worker_threads";
import type { WriterOptions } from "../options.ts";
import { runWriter } from "./writer.ts";

// The program of the writer thread.
if (parentPort === null) throw new TypeError("writer-thread.ts must run as a worker thread");
runWriter(parentPort, workerData as WriterOptions);
