// needs: npm

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** The example, started in the same way as its users start it. */
export interface SiteProcess extends AsyncDisposable {
  readonly url: string;
}

const root = fileURLToPath(new URL("../../../", import.meta.url));
const READY_LINE = /^The help centre is at (\S+)$/m;

/** Runs `npm start` and waits until the URL is printed. */
export async function startSiteProcess(): Promise<SiteProcess> {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("ANTECHAMBER_"));
  const child = spawn("npm", ["start", "--workspace=examples/help-centre"], {
    cwd: root,
    env: { ...Object.fromEntries(kept), PORT: "0" },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const exited = once(child, "close");
  let printed = "";
  const ready = new Promise<string>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        printed += text;
        const url = READY_LINE.exec(printed)?.[1];
        if (url !== undefined) resolve(url);
      });
    }
  });

  const url = await Promise.race([ready, exited.then(() => undefined)]);
  if (url === undefined) throw new Error(`the help centre did not start\n${printed}`);
  return {
    url,
    async [Symbol.asyncDispose]() {
      // Signals the whole process group, as Ctrl+C in a terminal does.
      if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, "SIGINT");
      await exited;
    },
  };
}
