import { startHelpCentre } from "./help-centre.ts";

// PORT: port of the site; by default a free one.
// ANTECHAMBER_URL: URL of a running Antechamber. By default one is started, and its data are deleted at the end.
// TRAFFIC: "off" starts no invented visitors. In an Antechamber that already runs there are some only with "on".
const { PORT, ANTECHAMBER_URL, TRAFFIC } = process.env;
const traffic = ANTECHAMBER_URL ? TRAFFIC === "on" : TRAFFIC !== "off";
const helpCentre = await startHelpCentre({
  port: Number(PORT ?? 0),
  antechamberUrl: ANTECHAMBER_URL || undefined,
  traffic,
});
console.log(`The help centre is at ${helpCentre.url}`);
console.log(`The console is at ${helpCentre.consoleUrl}`);
if (traffic)
  console.log('Invented visitors are on their way. What they do is marked with "simulated"; TRAFFIC=off stops them.');

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
