// needs: python3-flask, python3-uvicorn

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { until } from "../support/eventually.ts";
import type { ExampleApplication } from "../support/example-application.ts";
import { freePort } from "../support/free-ports.ts";
import type { StartApplication } from "./suite.ts";

const START_TIMEOUT_MS = 20_000;
const applications = fileURLToPath(new URL("applications/", import.meta.url));
export const packages = fileURLToPath(new URL("../../../clients/python/", import.meta.url));

/** Debian's Python, which has the packages `"flask"` and `"uvicorn"`; another one may be first on the path. */
export const python = "/usr/bin/python3";

/** The command for `asgi_app.py`. */
export const inUvicorn: ExampleApplication["command"] = (port) => [
  ...([python, "-B", "-m", "uvicorn", "asgi_app:app", "--log-level", "critical"] as const),
  ...(["--port", String(port)] as const),
];

/** Returns a function that starts a Python application, in a process of its own. */
export function startPython(kind: "wsgi" | "asgi"): StartApplication {
  return async (options) => {
    const port = await freePort();
    const asgi = ["-m", "uvicorn", "asgi:app", "--port", String(port), "--log-level", "critical", "--lifespan", "on"];
    const child = spawn(python, ["-B", ...(kind === "wsgi" ? [`${kind}.py`] : asgi)], {
      cwd: applications,
      env: { ...process.env, PYTHONPATH: packages, PORT: String(port), OPTIONS: JSON.stringify(options) },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
    const closed = once(child, "close");
    const end = async () => {
      child.kill("SIGTERM");
      await closed;
    };
    const url = `http://127.0.0.1:${port}`;
    const responds = () =>
      fetch(`${url}/unknown`, { method: "HEAD" }).then(
        () => true,
        () => false,
      );
    try {
      await until(`${kind} listens`, async () => child.exitCode !== null || (await responds()), START_TIMEOUT_MS);
      assert.equal(child.exitCode, null, errors);
    } catch (error) {
      await end();
      throw new Error(errors, { cause: error });
    }
    return { url, [Symbol.asyncDispose]: end };
  };
}
