import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { TimedCommand } from "../../../src/store/redis/connection/command.ts";
import { NodeConnection } from "../../../src/store/redis/connection/node-connection.ts";
import { until } from "../../support/eventually.ts";

/* A connection to one server, whose replies, silence and faults the test decides. */

interface Peer extends AsyncDisposable {
  readonly connection: NodeConnection;
  /** The server's end of the connection. */
  readonly socket: Socket;
  /** Everything that the server has received. */
  received(): string;
}

async function startPeer(): Promise<Peer> {
  let received = "";
  const server = createServer((socket) => {
    socket
      .on("error", () => undefined)
      .on("data", (bytes) => {
        received += bytes.toString();
      });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, "connection");
  const connection = new NodeConnection({ host: "127.0.0.1", port }, undefined);
  const [socket] = (await accepted) as [Socket];
  await connection.opened;
  return {
    connection,
    socket,
    received: () => received,
    async [Symbol.asyncDispose]() {
      connection.destroy();
      socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function commandFor(word: string, timeoutMs = 60_000): TimedCommand {
  return new TimedCommand(["echo", word], performance.now() + timeoutMs);
}

const encoded = (word: string) => `*2\r\n$4\r\necho\r\n$${Buffer.byteLength(word)}\r\n${word}\r\n`;

/** Sends a command for each word, and waits until the server has received them. */
async function sendAll({ connection, received }: Peer, words: readonly string[]): Promise<TimedCommand[]> {
  const commands = words.map((word) => commandFor(word));
  for (const command of commands) {
    command.reply.catch(() => undefined);
    connection.send(command);
  }
  await until("the server has received them", () => received().endsWith(encoded(words.at(-1) ?? "")));
  return commands;
}

test("commands of one turn are received together, and get the replies in order", async () => {
  await using peer = await startPeer();
  const words = Array.from({ length: 10_000 }, (_, i) => `word ${i}`);
  const commands = await sendAll(peer, words);
  assert.equal(peer.received(), words.map(encoded).join(""));
  peer.socket.write(words.map((word) => `$${word.length}\r\n${word}\r\n`).join(""));
  assert.deepEqual(await Promise.all(commands.map(({ reply }) => reply)), words);
});

test("words are counted in bytes, also in a turn after others and when commands wait for replies", async () => {
  await using peer = await startPeer();
  const turns = [["a", "b"], ["c", "müller", "d"], ["e"], ["🙂"], ["f", "g"]];
  for (const words of turns) await sendAll(peer, words);
  assert.equal(peer.received(), turns.flat().map(encoded).join(""));
  // The replies to some of them have been taken off the queue of commands.
  peer.socket.write("+OK\r\n".repeat(turns.flat().length - 1));
  const last = ["h", "é"];
  await sendAll(peer, last);
  assert.equal(peer.received(), [...turns.flat(), ...last].map(encoded).join(""));
});

test("if the connection is reset in the middle of a reply, only commands that were sent may have been carried out", async () => {
  await using peer = await startPeer();
  const [answered, unanswered] = (await sendAll(peer, ["a", "b"])) as [TimedCommand, TimedCommand];
  peer.socket.write("$1\r\na\r\n$1\r");
  assert.equal(await answered.reply, "a");
  peer.socket.resetAndDestroy();
  await assert.rejects(unanswered.reply, /ECONNRESET|connection to Redis was lost/);
  assert.equal(unanswered.isSent, true);

  const late = commandFor("c");
  peer.connection.send(late);
  await assert.rejects(late.reply, /ECONNRESET|connection to Redis was lost/);
  assert.equal(late.isSent, false);
});

test("a command that is buffered when the connection is lost certainly was not sent", async () => {
  await using peer = await startPeer();
  const command = commandFor("a");
  peer.connection.send(command);
  peer.connection.destroy();
  await assert.rejects(command.reply, /connection to Redis was lost/);
  assert.equal(command.isSent, false);
  assert.equal(peer.received(), "");
});

test("a command is not sent after its deadline, and a reply that arrives later is not that of another command", async () => {
  await using peer = await startPeer();
  const late = commandFor("late", -1);
  peer.connection.send(late);
  await assert.rejects(late.reply, /no answer in time/);
  assert.equal(late.isSent, false);

  const expired = commandFor("expired", 200);
  peer.connection.send(expired);
  await assert.rejects(expired.reply, /no answer in time/);
  assert.equal(expired.isSent, true);
  const [next] = (await sendAll(peer, ["next"])) as [TimedCommand];
  peer.socket.write("+for expired\r\n+for next\r\n");
  assert.equal(await next.reply, "for next");
  assert.equal(peer.received(), encoded("expired") + encoded("next"));
});

test("a reply that has arrived while the process stood still beyond the deadline is in time", async () => {
  await using peer = await startPeer();
  const [command] = (await sendAll(peer, ["a"])) as [TimedCommand];
  // From here on, timers are due before sockets are read.
  await turn();
  peer.socket.write("+a\r\n");
  const deadline = performance.now();
  Object.assign(command, { deadline });
  while (performance.now() < deadline + 100);
  assert.equal(await command.reply, "a");
});

test("an error reply says that the command was not carried out", async () => {
  await using peer = await startPeer();
  const [command] = (await sendAll(peer, ["a"])) as [TimedCommand];
  peer.socket.write("-OOM command not allowed a\r\n");
  await assert.rejects(command.reply, { name: "RedisFault", code: "OOM", isReply: true });
  assert.equal(command.isSent, false);
});

for (const [what, bytes] of [
  ["that do not follow the protocol", "HTTP/1.1 400 Bad Request\r\n"],
  ["for no command", "+a\r\n+b\r\n"],
] as const) {
  test(`replies ${what} end the connection`, async () => {
    await using peer = await startPeer();
    const commands = await sendAll(peer, ["a"]);
    peer.socket.write(bytes);
    const fault = await peer.connection.closed;
    assert.match(fault.message, /is not Redis/);
    await Promise.allSettled(commands.map(({ reply }) => reply));
  });
}

test("a connection that is to end still gets the replies that it waits for", async () => {
  await using peer = await startPeer();
  const [command] = (await sendAll(peer, ["a"])) as [TimedCommand];
  peer.connection.end();
  peer.socket.write("+a\r\n");
  assert.equal(await command.reply, "a");
  await peer.connection.closed;
});

test("a server that does not read gets no more commands than fit into a bounded buffer", async () => {
  await using peer = await startPeer();
  peer.socket.pause();
  const word = "x".repeat(1024 * 1024);
  const results: unknown[] = [];
  for (let i = 0; i < 100 && results.length === 0; i++) {
    const command = commandFor(word);
    command.reply.catch((error: unknown) => results.push(error));
    peer.connection.send(command);
    await turn();
  }
  assert.match(String(results[0]), /does not read/);
  peer.socket.resume();
  await until("commands are sent again", () => {
    const command = commandFor("again");
    command.reply.catch(() => undefined);
    peer.connection.send(command);
    return command.isSent;
  });
});
