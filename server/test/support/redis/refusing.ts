import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { RedisNode } from "./node.ts";

/** A proxy between a service and its Redis, which can reply instead of Redis. */
export interface RefusingRedis extends AsyncDisposable {
  readonly port: number;
  /**
   * Makes the proxy reply to every command with the error that `answer` returns for its words, except to commands that
   * check a new connection. `undefined`: Redis replies again. Closes open connections.
   */
  refuse(answer: ((words: readonly string[]) => string) | undefined): void;
}

/** Listens on a free port in front of `node`. */
export async function startRefusingRedis(node: RedisNode): Promise<RefusingRedis> {
  const sockets = new Set<Socket>();
  let refusal: ((words: readonly string[]) => string) | undefined;
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
  };
  const server = createServer((socket) => {
    keep(socket);
    const answer = refusal;
    if (answer === undefined) {
      const redis = connect(node.port, "127.0.0.1");
      keep(redis);
      socket.pipe(redis).pipe(socket);
      socket.on("close", () => redis.destroy());
      redis.on("close", () => socket.destroy());
      return;
    }
    let rest = "";
    let last: Promise<unknown> = Promise.resolve();
    socket.setEncoding("latin1").on("data", (text) => {
      rest += String(text);
      for (let found = commandIn(rest); found !== undefined; found = commandIn(rest)) {
        rest = rest.slice(found.length);
        const { words } = found;
        last = last.then(async () => socket.write(await replyTo(node, words, answer)));
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    refuse(answer) {
      refusal = answer;
      for (const socket of sockets) socket.destroy();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

async function replyTo(
  node: RedisNode,
  words: readonly string[],
  answer: (words: readonly string[]) => string,
): Promise<string> {
  switch (words[0]?.toLowerCase()) {
    case "hget":
    case "lrange":
      if (words[1]?.includes("{fixed}") === true) return encoded(await node.command(...words));
      return `-${answer(words)}\r\n`;
    case "hello":
      return "*4\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n";
    case "info":
      return "$0\r\n\r\n";
    case "select":
      return "+OK\r\n";
    default:
      return `-${answer(words).replaceAll(/[\r\n]/g, " ")}\r\n`;
  }
}

function encoded(reply: unknown): string {
  if (reply === null) return "$-1\r\n";
  if (Array.isArray(reply)) return `*${reply.length}\r\n${reply.map(encoded).join("")}`;
  const text = reply as string;
  return `$${text.length}\r\n${text}\r\n`;
}

/** Returns the first command in the text; `undefined` if it is incomplete. */
function commandIn(text: string): { words: string[]; length: number } | undefined {
  const head = /^\*(\d+)\r\n/.exec(text);
  if (head === null) return undefined;
  const words: string[] = [];
  let at = head[0].length;
  for (let i = 0; i < Number(head[1]); i++) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(at, at + 32));
    if (size === null) return undefined;
    at += size[0].length;
    const end = at + Number(size[1]);
    if (text.length < end + 2) return undefined;
    words.push(text.slice(at, end));
    at = end + 2;
  }
  return { words, length: at };
}
