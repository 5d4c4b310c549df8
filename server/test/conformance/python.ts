// needs: python3-flask, python3-uvicorn

import { fileURLToPath } from "node:url";
import { type ExampleApplication, startApplication } from "../support/example-application.ts";
import type { StartApplication } from "./suite.ts";

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
  const uvicorn = ["-m", "uvicorn", "asgi:app", "--log-level", "critical", "--lifespan", "on", "--port"];
  const command: ExampleApplication["command"] = (port) => [
    ...([python, "-B"] as const),
    ...(kind === "wsgi" ? [`${kind}.py`] : [...uvicorn, String(port)]),
  ];
  return async (options) => {
    const application = { name: kind, folder: applications, home: "/unknown", command };
    const environment = { PYTHONPATH: packages, OPTIONS: JSON.stringify(options) };
    const running = await startApplication(application, environment);
    const { port } = running;
    return { url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
  };
}
