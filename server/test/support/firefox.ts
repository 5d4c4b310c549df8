// needs: firefox-esr

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { until } from "./eventually.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** A tab of Firefox. Its functions are those of Playwright, which does not support the Firefox of Debian. */
export interface FirefoxTab {
  goto(url: string): Promise<void>;
  /** Evaluates an expression, waits for its result if it is a promise, and returns the result. */
  evaluate<T>(expression: string): Promise<T>;
  /** Waits until an expression is true. */
  waitFor(expression: string): Promise<void>;
  /** Types a text: a key after another. Brings the tab to the front. */
  type(text: string): Promise<void>;
  /** Clicks the middle of the first element that a CSS selector matches and whose text contains `text`. */
  click(selector: string, text: string): Promise<void>;
  close(): Promise<void>;
}

export interface Firefox extends AsyncDisposable {
  open(url: string): Promise<FirefoxTab>;
  /** Errors of all pages: of scripts, of loading, and violations of the content security policy. */
  readonly complaints: readonly string[];
}

/** Keys without a character, by their code points in WebDriver. */
export const keys = { enter: "\uE007", escape: "\uE00C", tab: "\uE004" } as const;

/** Time in milliseconds for Firefox to start, and for a condition in a page. */
const TIMEOUT_MS = 60_000;

/** Starts Firefox without a window and with an empty profile, and controls it by WebDriver BiDi. */
export async function startFirefox(): Promise<Firefox> {
  const folder = temporaryDirectory();
  const child = spawn("firefox-esr", ["--headless", "--remote-debugging-port=0", "--profile", folder.path], {
    // Everything that Firefox stores is in the folder.
    env: { ...process.env, HOME: folder.path, TMPDIR: folder.path },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = once(child, "exit");
  let socket: WebSocket | undefined;
  const stop = async () => {
    socket?.close();
    child.kill();
    await exited;
    folder.remove();
  };
  try {
    socket = await connect(`${await addressIn(child.stderr)}/session`);
    const bidi = createConnection(socket);
    await bidi.send("session.new", { capabilities: {} });
    await bidi.send("session.subscribe", { events: ["log.entryAdded"] });
    return {
      complaints: bidi.complaints,
      async open(url) {
        const { context } = await bidi.send<{ readonly context: string }>("browsingContext.create", { type: "tab" });
        const tab = createTab(bidi.send, context);
        await tab.goto(url);
        return tab;
      },
      async [Symbol.asyncDispose]() {
        await bidi.send("browser.close", {});
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Returns the address of WebDriver BiDi, which Firefox prints when it is ready. */
async function addressIn(stderr: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: stderr })) {
    const address = /WebDriver BiDi listening on (\S+)/.exec(line)?.[1];
    if (address !== undefined) {
      stderr.resume();
      return address;
    }
  }
  throw new Error("Firefox has ended before it was ready");
}

async function connect(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve, { once: true });
    socket.addEventListener("error", reject, { once: true });
  });
  return socket;
}

type Send = <T>(method: string, params: object) => Promise<T>;

/** A message of WebDriver BiDi: the response to a command, which has an id, or an event. */
interface Message {
  readonly id?: number;
  readonly type: "success" | "error" | "event";
  readonly result?: unknown;
  readonly message?: string;
  readonly params?: { readonly level: string; readonly text: string };
}

function createConnection(socket: WebSocket): { readonly send: Send; readonly complaints: string[] } {
  const complaints: string[] = [];
  const waiting = new Map<number, (message: Message) => void>();
  socket.addEventListener("message", ({ data }) => {
    const message = JSON.parse(String(data)) as Message;
    if (message.type === "event" && message.params?.level === "error") complaints.push(message.params.text);
    if (message.id !== undefined) waiting.get(message.id)?.(message);
  });
  let last = 0;
  return {
    complaints,
    async send<T>(method: string, params: object) {
      const id = ++last;
      const answered = new Promise<Message>((resolve) => waiting.set(id, resolve));
      socket.send(JSON.stringify({ id, method, params }));
      const { type, result, message = "" } = await answered;
      waiting.delete(id);
      assert.equal(type, "success", `${method}: ${message}`);
      return result as T;
    },
  };
}

function createTab(send: Send, context: string): FirefoxTab {
  const evaluate = async <T>(expression: string): Promise<T> => {
    const { result, exceptionDetails } = await send<{
      readonly result?: { readonly value: string };
      readonly exceptionDetails?: { readonly text: string };
    }>("script.evaluate", {
      expression: `(async () => JSON.stringify((await (${expression})) ?? null))()`,
      target: { context },
      awaitPromise: true,
    });
    if (result === undefined) throw new Error(`${expression}: ${exceptionDetails?.text ?? "no result"}`);
    return JSON.parse(result.value) as T;
  };
  const waitFor = (expression: string) =>
    until(expression, async () => Boolean(await evaluate(expression)), TIMEOUT_MS);
  const perform = async (source: object) => {
    await send("browsingContext.activate", { context });
    await send("input.performActions", { context, actions: [source] });
  };
  return {
    evaluate,
    waitFor,
    async goto(url) {
      await send("browsingContext.navigate", { context, url, wait: "complete" });
    },
    async type(text) {
      const actions = [...text].flatMap((value) => [
        { type: "keyDown", value },
        { type: "keyUp", value },
      ]);
      await perform({ type: "key", id: "keyboard", actions });
    },
    async click(selector, text) {
      const found = `[...document.querySelectorAll(${JSON.stringify(selector)})]
        .find((element) => element.textContent.includes(${JSON.stringify(text)}))`;
      await waitFor(`${found} !== undefined`);
      const [x, y] = await evaluate<[number, number]>(`(() => {
        const element = ${found};
        element.scrollIntoView({ block: "center", behavior: "instant" });
        const { left, top, width, height } = element.getBoundingClientRect();
        return [Math.round(left + width / 2), Math.round(top + height / 2)];
      })()`);
      const actions = [
        { type: "pointerMove", x, y },
        { type: "pointerDown", button: 0 },
        { type: "pointerUp", button: 0 },
      ];
      await perform({ type: "pointer", id: "mouse", parameters: { pointerType: "mouse" }, actions });
    },
    async close() {
      await send("browsingContext.close", { context });
    },
  };
}
