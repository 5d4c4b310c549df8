import { startHelpCentre } from "./help-centre.ts";

// PORT: port of the site; by default a free one.
// ANTECHAMBER_URL: URL of a running Antechamber. By default one is started, and its data are deleted at the end.
const helpCentre = await startHelpCentre({
  port: Number(process.env["PORT"] ?? 0),
  antechamberUrl: process.env["ANTECHAMBER_URL"] || undefined,
});
console.log(`The help centre is at ${helpCentre.url}`);

let isClosing = false;

async function close(): Promise<void> {
  if (isClosing) return;
  isClosing = true;
  try {
    await helpCentre.close();
    process.exit(0);
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
}

// `once` would not be enough: under npm, Ctrl+C arrives twice, from the terminal and from npm.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => void close());
}
