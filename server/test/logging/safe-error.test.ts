import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { createLog } from "../../src/logging/log.ts";
import { describeError, safeMessage } from "../../src/logging/safe-error.ts";

const mark = "SecretOfTheCaller";

/** Returns the thrown error. */
function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

function sqlite(): never {
  using database = new DatabaseSync(":memory:");
  database.exec(`SELECT * FROM ${mark}`);
  throw new Error("there is no such table");
}

const withMembers = (message: string, members: object) => Object.assign(new Error(message), members);

/** Errors of libraries and runtimes. Each contains data of a caller. */
const errors: Readonly<Record<string, unknown>> = {
  arguments: withMembers("OOM command not allowed", { command: { name: "set", args: [mark] } }),
  quoted: new Error(`ERR unknown command 'x', with args beginning with: '${mark}' 'it''s'`),
  doubly: new Error(`no such key "${mark}"`),
  unended: new Error(`Unexpected token, "${mark}`),
  cut: new Error(`ERR unknown command 'x', with args: '${mark} ${"y".repeat(5000)}'`),
  doublyCut: new Error(`ERR x 'a' 'b' '${mark} 'y' '${"y".repeat(5000)}'`),
  cutInWords: new Error(`ERR x 'a' 'b' 'c' '${mark} ${"y ".repeat(3000)}'`),
  overLines: new Error(`Unexpected token 'b', "{\n${mark}\n" is not valid JSON`),
  prefixed: new Error(`bad value u'${mark}'`),
  ownQuotes: new Error(`it's no '${mark}' o'clock, don't`),
  backticks: new Error(`not a column: \`${mark}\``),
  bracketed: new Error(`malformed database schema ({"who":"${mark}","x":[1]`),
  listed: new Error(`bad value [${mark}, 1]`),
  url: new Error(`cannot reach redis://${mark}:pass@word@10.0.0.1:6379/0`),
  key: new Error("refused ak_0123456789abcdefghijSecretOfTheCaller"),
  token: new Error("refused eyJhbGciOiJSUzI1NiJ9.SecretOfTheCaller.c2ln"),
  session: new Error(`no session AaIpanHiAADPyQFcFwC_a5R1pxhbqRu_0xkDKaAi of '${mark}'`),
  json: thrownBy(() => JSON.parse(`{"customerId": ${mark}}`)),
  wholeJson: thrownBy(() => JSON.parse(mark)),
  invalidUrl: thrownBy(() => new URL(`http://${mark}:x@ h`)),
  statement: thrownBy(sqlite),
  property: thrownBy(() => (undefined as unknown as Record<string, number>)[mark]),
  cause: new Error("refused", { cause: withMembers(`'${mark}'`, { input: mark }) }),
  aggregate: new AggregateError([new Error(`"${mark}"`)], "several", { cause: mark }),
  node: withMembers("Failed to refresh slots cache.", {
    lastNodeError: withMembers(`'${mark}'`, { command: { args: [mark] } }),
  }),
  attempts: withMembers("gave up", { previousErrors: [withMembers("once", { args: [mark] })] }),
  name: withMembers("renamed", { name: `Error of ${mark}`, code: mark, syscall: `open ${mark}` }),
  text: mark,
  object: { message: `"${mark}"`, [mark]: 1, args: [mark] },
  other: [mark],
  frames: withMembers("short", { stack: `Error: short\n    at once (${mark})\n    at x (y:1:2)` }),
};

test("data of a caller in an error is never logged or printed, wherever a library put it", () => {
  let log = "";
  const logger = createLog("trace", {
    write(line: string) {
      log += line;
    },
  });
  for (const [name, error] of Object.entries(errors)) {
    const texts = [JSON.stringify(describeError(error)), safeMessage(error)];
    for (const text of texts) assert.ok(!text.includes(mark) && !text.includes("pass@"), `${name}: ${text}`);
    logger.error({ err: error }, "failed");
    logger.child({ requestId: "r" }).warn({ error }, "failed");
    if (error instanceof Error) logger.fatal(error);
  }
  assert.ok(!log.includes(mark), String(log.split("\n").find((line) => line.includes(mark))));
  assert.doesNotMatch(log, /AaIpanHiAADPyQFcFwC/);
});

test("the description of an error has type, code, message, frames and causes", () => {
  const cause = withMembers("connect ECONNREFUSED 127.0.0.1:6379", {
    code: "ECONNREFUSED",
    syscall: "connect",
  });
  const described = describeError(new TypeError("not connected", { cause }));
  assert.equal(described.type, "TypeError");
  assert.equal(described.message, "not connected");
  assert.match(described.stack ?? "", /^at .*safe-error\.test\.ts:\d+:\d+/);
  assert.equal(described.cause?.code, "ECONNREFUSED");
  assert.equal(described.cause?.message, "connect ECONNREFUSED 127.0.0.1:6379");
  const { code, errcode, message } = describeError(errors["statement"]);
  assert.deepEqual([code, errcode], ["ERR_SQLITE_ERROR", 1]);
  assert.equal(message, "SQL logic error");
});

test("errors that cannot be read, and circular causes, can be described too", () => {
  const circular = new Error("round");
  circular.cause = circular;
  assert.equal(describeError(circular).message, "round");
  const hostile = {
    get message(): string {
      throw new Error(mark);
    },
  };
  assert.ok(!JSON.stringify(describeError(hostile)).includes(mark));
  for (const nothing of [undefined, null, 0, ""]) assert.ok(describeError(nothing).message);
  assert.ok(safeMessage(new Error("x".repeat(100_000))).length < 1000);
});
