import type { HttpRequest } from "../../src/http-types.ts";
import { createServer } from "../../src/server.ts";
import type { TransportEvents } from "../../src/transport.ts";
import { createHandler } from "./handler.ts";
import { judge } from "./judge.ts";
import { Peer, randomBehavior } from "./peer.ts";
import { createRandom, type Random } from "./random.ts";
import { LONG_HEADS } from "./reference.ts";
import { randomStream } from "./streams.ts";

/** Faults that are injected at the server's edges, to check that they are found. */
export interface DeliberateFault {
  request?(request: HttpRequest): HttpRequest;
  events?(events: TransportEvents, random: Random): TransportEvents;
}

/** A round is complete after this many turns of the event loop without any event. */
const QUIET_TURNS = 12;
const MAX_REQUESTS = 5;
/** Number of requests on some connections: more than the server handles in a turn of the event loop. */
const MANY_REQUESTS = 40;

/**
 * Opens `connections` simultaneous connections to a server in this process, and runs their clients in a random order.
 * Returns the fault that was found, if any.
 */
export async function fuzzRound(seed: number, connections: number, fault: DeliberateFault = {}): Promise<string[]> {
  const random = createRandom(seed);
  const problems: string[] = [];
  const handler = createHandler(random, (problem) => void problems.push(problem));
  const server = createServer((request) => handler.handle(fault.request?.(request) ?? request), {
    onDefect: (error) => void problems.push(`a defect: ${String(error)}`),
    hasLongHead: (target) => target.startsWith(LONG_HEADS),
  });
  const peers = Array.from({ length: connections }, () => {
    const most = random.next() < 0.05 ? MANY_REQUESTS : MAX_REQUESTS;
    const stream = randomStream(random, random.between(1, most));
    return new Peer(stream, randomBehavior(random, stream.length), random);
  });
  for (const peer of peers) {
    peer.connect((transport) => {
      const events = server.connect(transport);
      return fault.events?.(events, random) ?? events;
    });
  }
  await play(peers, random);
  for (const peer of peers) {
    const problem = judge(peer);
    if (problem === undefined) continue;
    problems.push(`${problem}\n  sent: ${shown(peer.stream)}\n  got: ${shown(peer.text)}`);
  }
  for (const peer of peers) peer.leave();
  await quiet(() => handler.underWay === 0);
  if (handler.underWay > 0) problems.push(`${handler.underWay} requests are never answered`);
  if (server.connections > 0) problems.push(`${server.connections} connections are left`);
  server.close();
  return problems;
}

/** Runs all actions of the clients in a random order, until nothing changes any more. */
async function play(peers: readonly Peer[], random: Random): Promise<void> {
  let active = [...peers];
  while (active.length > 0) {
    for (let i = random.between(1, 10); i > 0 && active.length > 0; i--) random.pick(active).step();
    if (random.next() < 0.2) await turn();
    if (random.next() < 0.1) active = active.filter((peer) => peer.step());
    if (active.length > 0) continue;
    let text = -1;
    await quiet(() => {
      const before = text;
      text = peers.reduce((sum, peer) => sum + peer.text.length, 0);
      return text === before;
    });
    // `step` returns false when a client is done. A paused client stays, because it may continue in the next round.
    active = peers.filter((peer) => peer.step());
  }
}

/** Resolves when `isDone` was true for some consecutive turns of the event loop, or after very many turns. */
async function quiet(isDone: () => boolean): Promise<void> {
  let turns = 0;
  for (let i = 0; i < 100 * QUIET_TURNS && turns < QUIET_TURNS; i++) {
    await turn();
    turns = isDone() ? turns + 1 : 0;
  }
}

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve));

function shown(text: string): string {
  return JSON.stringify(text.length <= 4_000 ? text : `${text.slice(0, 4_000)}…`);
}
