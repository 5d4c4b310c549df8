import { Command } from "ioredis";
import type { Deadline } from "./deadlines.ts";

/** Where commands are written: a connection to one server. */
export type CommandStream = Parameters<Command["toWritable"]>[0] & {
  cork(): void;
  uncork(): void;
};

/** What is written in the place of a command that comes too late: its answer goes to nobody. */
const NOTHING = "*1\r\n$4\r\nPING\r\n";

/** Streams that gather what is written until the event loop has come round. */
const corked = new Set<CommandStream>();
/** What is to be done before they let it go. */
let works: (() => void)[] = [];
let isTurning = false;

function endTurn(): void {
  const last = works;
  works = [];
  for (const work of last) work();
  for (const stream of corked) stream.uncork();
  corked.clear();
  isTurning = false;
  if (works.length > 0) beginTurn();
}

function beginTurn(): void {
  if (isTurning) return;
  isTurning = true;
  setImmediate(endTurn);
}

/** Does `work`, which does not throw, once all that comes in this turn of the event loop is here; what it sends leaves with the rest. */
export function atTurnsEnd(work: () => void): void {
  works.push(work);
  beginTurn();
}

/** What comes in one turn of the event loop leaves in one write: half of the cost is the system's. */
function gather(stream: CommandStream): void {
  if (corked.has(stream)) return;
  beginTurn();
  corked.add(stream);
  stream.cork();
}

/**
 * A command with a deadline. The client may hold commands back, while it connects or is sent from node
 * to node; one that is written after its deadline was given up by whoever asked, and must not be
 * carried out. A class, because it takes the place of the client's own.
 */
export class TimedCommand extends Command implements Deadline {
  /** When it is too late, by `performance.now()`. */
  readonly until: number;
  /** How often it was written: whether it can have been carried out. */
  writes = 0;
  /** Where it was written last. */
  stream: CommandStream | undefined;

  constructor(name: string, args: (string | Buffer)[], until: number) {
    super(name, args, { replyEncoding: "utf8" });
    this.until = until;
    // The client would else prepare each for whoever traces commands, though nobody here does.
    this.isTraced = true;
  }

  /** Nobody waits for it any more; an answer that comes yet goes to nobody. */
  expired(): void {
    this.reject(new Error("no answer in time"));
  }

  override toWritable(stream: object): string | Buffer {
    if (performance.now() >= this.until) {
      // Now: the answer to what is written instead must not be taken for that of the command.
      this.expired();
      return NOTHING;
    }
    this.writes++;
    this.stream = stream as CommandStream;
    gather(this.stream);
    return super.toWritable(stream);
  }
}
