// needs: npm

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** The example, started in the same way as its users start it. */
export interface SiteProcess extends AsyncDisposable {
  readonly url: string;
  /** URL of Antechamber's console. */
  readonly consoleUrl: string;
}

const root = fileURLToPath(new URL("../../../", import.meta.url));
const READY_LINES = /^The help centre is at (\S+)\nThe console is at (\S+)$/m;

/** Runs `npm start` and waits until the URLs are printed. There are invented visitors only with `traffic`. */
export async function startSiteProcess({ traffic = false } = {}): Promise<SiteProcess> {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("ANTECHAMBER_"));
  const child = spawn("npm", ["start", "--workspace=examples/help-centre"], {
    cwd: root,
    env: { ...Object.fromEntries(kept), PORT: "0", TRAFFIC: traffic ? "on" : "off" },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const exited = once(child, "close");
  let printed = "";
  const ready = new Promise<RegExpExecArray>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        printed += text;
        const lines = READY_LINES.exec(printed);
        if (lines !== null) resolve(lines);
      });
    }
  });

  const lines = await Promise.race([ready, exited.then(() => undefined)]);
  if (lines === undefined) throw new Error(`the help centre did not start\n${printed}`);
  return {
    url: lines[1] ?? "",
    consoleUrl: lines[2] ?? "",
    async [Symbol.asyncDispose]() {
      // Signals the whole process group, as Ctrl+C in a terminal does.
      if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, "SIGINT");
      await exited;
    },
  };
}
