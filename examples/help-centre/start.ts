import { startHelpCentre } from "./help-centre.ts";

// PORT: where the site answers; a free port by default.
// ANTECHAMBER_URL: an Antechamber that runs already; by default one is started, and its data is
// deleted at the end.
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

// Not `once`: Ctrl+C below npm comes twice, from the terminal and from npm.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => void close());
}
