import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A process of Antechamber that only this site uses. */
export interface Antechamber {
  readonly url: string;
  /** Ends the process and deletes its data. */
  close(): Promise<void>;
}

const launcher = fileURLToPath(new URL("../../server/bin/antechamber", import.meta.url));
const READY_LINE = /^antechamber listening on (\S+)$/m;

/**
 * Starts Antechamber on a free port, with its data in a temporary folder. Web pages of `origins` may call it. If it
 * does not start, rejects with the text that it printed.
 */
export async function startAntechamber(origins: readonly string[]): Promise<Antechamber> {
  const dataDir = await mkdtemp(join(tmpdir(), "help-centre-"));
  const child = spawn(launcher, ["serve"], {
    env: {
      ...process.env,
      ANTECHAMBER_PORT: "0",
      ANTECHAMBER_DATA_DIR: dataDir,
      ANTECHAMBER_CORS_ORIGINS: origins.join(","),
      ANTECHAMBER_LOG_LEVEL: "warn",
    },
    stdio: ["ignore", "pipe", "inherit"],
    // Ctrl+C must reach only the site. The site sends its last records and then ends Antechamber.
    detached: true,
  });
  const kill = () => void child.kill("SIGKILL");
  process.on("exit", kill);
  const exited = once(child, "exit");

  async function close(): Promise<void> {
    child.kill("SIGTERM");
    await exited.catch(() => undefined);
    process.off("exit", kill);
    await rm(dataDir, { recursive: true, force: true });
  }

  try {
    return { url: await readyUrl(child.stdout, exited), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Waits for the line that contains the URL, and returns the URL. */
async function readyUrl(output: NodeJS.ReadableStream, exited: Promise<unknown>): Promise<string> {
  let printed = "";
  const ready = new Promise<string>((resolve) => {
    output.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
      const url = READY_LINE.exec(printed)?.[1];
      if (url !== undefined) resolve(url);
    });
  });
  const url = await Promise.race([ready, exited.then(() => undefined)]);
  if (url === undefined) throw new Error(`Antechamber did not start\n${printed}`);
  return url;
}
