// runs: outside
// needs: python3-flask

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { WebhookDeliveryList, WebhookWithSecret } from "@antechamber/client/protocol";
import { createApi, sessionOf } from "../support/api.ts";
import { until } from "../support/eventually.ts";
import { freePort } from "../support/free-ports.ts";
import { serve } from "../support/in-process.ts";

const folder = fileURLToPath(new URL("../../../examples/webhooks/", import.meta.url));

const examples = [
  { name: "Express", command: () => [process.execPath, "express.ts"] },
  {
    name: "Flask",
    // Debian's Python, which has the packages. Another one may be first on the path.
    command: (port: number) => [
      "/usr/bin/python3",
      "-B",
      "-m",
      "flask",
      "--app",
      "flask_app",
      "run",
      "--port",
      String(port),
    ],
  },
];

for (const { name, command } of examples) {
  test(`the receiver in ${name} accepts what we send, handles an event once, and refuses a forged one`, async () => {
    await using server = await serve();
    const api = createApi(server.url);
    const port = await freePort();
    const url = `http://127.0.0.1:${port}/webhooks`;
    const created = await api.call("POST", "/webhooks", { json: { url } });
    const { id, secret } = JSON.parse(created.text) as WebhookWithSecret;
    const [program = "", ...args] = command(port);
    const env = { ...process.env, PORT: String(port), WEBHOOK_SECRET: secret };
    const child: ChildProcess = spawn(program, args, { cwd: folder, env, stdio: ["ignore", "pipe", "ignore"] });
    let printed = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
    const closed = once(child, "close");
    try {
      const listens = () =>
        fetch(url, { method: "POST", body: "{}" }).then(
          ({ status }) => status === 400,
          () => false,
        );
      await until(`${name} listens`, async () => child.exitCode !== null || (await listens()), 60_000);
      assert.equal(child.exitCode, null);
      const { sessionId } = sessionOf(await api.create({ headers: { gkc_customerId: "anna" } }));
      assert.equal((await api.call("DELETE", `/sessions/${sessionId}`)).status, 204);
      await until("both are handled", () => printed.includes("anna has signed out"));
      const list = async () =>
        (JSON.parse((await api.call("GET", `/webhooks/${id}/deliveries`)).text) as WebhookDeliveryList).deliveries;
      await until("both are delivered", async () => (await list()).every(({ state }) => state === "delivered"));
      const [last] = await list();
      await api.call("POST", `/webhooks/${id}/deliveries/${last?.id}/redeliver`);
      await until("it is delivered again", async () => (await list())[0]?.attempts === 1);
      await until("its state is delivered", async () => (await list())[0]?.state === "delivered");
      assert.equal(printed.split("anna has signed out").length, 2, "an event is handled once");
    } finally {
      child.kill("SIGTERM");
      await closed;
    }
  });
}
