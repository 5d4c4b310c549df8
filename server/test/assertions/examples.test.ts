// runs: outside
// needs: python3-cryptography, python3-flask, python3-jwt

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Antechamber, startAntechamber } from "../proxies/antechamber.ts";
import { nginx } from "../proxies/nginx.ts";
import { startProxy } from "../proxies/proxy-process.ts";
import { cookieOf } from "../proxies/setup.ts";
import { visit } from "../proxies/visitor.ts";
import { until } from "../support/eventually.ts";
import { freePort } from "../support/free-ports.ts";

const folder = fileURLToPath(new URL("../../../examples/signed-identity/", import.meta.url));

interface Example {
  readonly name: string;
  readonly command: (port: number) => readonly [program: string, ...args: string[]];
}

const examples: readonly Example[] = [
  { name: "Express", command: () => [process.execPath, "express.ts"] },
  {
    name: "Flask",
    // Debian's Python, which has the packages. Another one may be first on the path.
    command: (port) => ["/usr/bin/python3", "-B", "-m", "flask", "--app", "flask_app", "run", "--port", String(port)],
  },
];

interface RunningExample extends AsyncDisposable {
  readonly port: number;
}

/** Starts an example as it is, and waits until it listens. */
async function startExample({ name, command }: Example, antechamberUrl: string): Promise<RunningExample> {
  const port = await freePort();
  const [program, ...args] = command(port);
  const env = { ...process.env, PORT: String(port), ANTECHAMBER_URL: antechamberUrl };
  const child: ChildProcess = spawn(program, args, { cwd: folder, env, stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const closed = once(child, "close");
  const end = async () => {
    child.kill("SIGTERM");
    await closed;
  };
  try {
    const answers = () =>
      fetch(`http://127.0.0.1:${port}/`).then(
        () => true,
        () => false,
      );
    await until(`${name} listens`, async () => child.exitCode !== null || (await answers()), 20_000);
    assert.equal(child.exitCode, null, errors);
  } catch (error) {
    await end();
    throw error;
  }
  return { port, [Symbol.asyncDispose]: end };
}

let antechamber: Antechamber;
before(async () => {
  antechamber = await startAntechamber({ ANTECHAMBER_ASSERTION_AUDIENCE: "shop" });
});
after(() => antechamber[Symbol.asyncDispose]());

for (const example of examples) {
  test(`the example for ${example.name} knows a visitor behind nginx, and believes nobody who comes without the proxy`, async () => {
    await using application = await startExample(example, antechamber.server.url);
    await using proxy = await startProxy(nginx, { antechamber: antechamber.port, application: application.port });
    const session = await antechamber.createSession({ customerId: "alice", agentId: "7" });
    const known = await visit(proxy.port, "/", { headers: [cookieOf(session)] });
    assert.equal(known.status, 200, known.body);
    const handle = session.sessionId.slice(0, 24);
    assert.deepEqual(JSON.parse(known.body), { session: handle, customer: "alice", agent: "7" });

    const stranger = await visit(proxy.port, "/", { headers: ["gkc-customerId: alice", "gkc-assertion: forged"] });
    const { customer, agent } = JSON.parse(stranger.body) as Record<string, unknown>;
    assert.deepEqual([stranger.status, customer, agent], [200, null, null]);

    const forged = ["gkc-customerId: alice", `gkc-sessionId: ${session.sessionId}`];
    for (const headers of [[], forged, [...forged, "gkc-assertion: e30.e30.e30"]]) {
      const direct = await visit(application.port, "/", { headers });
      assert.equal(direct.status, 401);
      assert.doesNotMatch(direct.body, /alice/);
    }
  });
}
