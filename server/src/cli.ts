import { exitCodes, exitOf } from "./cli/exit-codes.ts";
import { processOutput } from "./cli/output.ts";
import { createProgram } from "./cli/program.ts";
import { onUncaught } from "./cli/uncaught.ts";

/*
 * The command line `antechamber`; `bin/antechamber` runs this file. Results go to stdout, remarks
 * and logs to stderr. What each exit status means stands in `cli/exit-codes.ts`.
 */

// What is made here, data, backups and sockets, is for its owner alone.
process.umask(0o077);

for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // Whoever read it has gone, as `head` does: nobody is left to tell anything.
    if (error.code === "EPIPE") process.exit(exitCodes.ok);
    throw error;
  });
}

onUncaught((error) => void process.stderr.write(`antechamber: ${exitOf(error).message}\n`));

try {
  await createProgram(processOutput).parseAsync();
} catch (error) {
  const { exitCode, message } = exitOf(error);
  if (message !== "") process.stderr.write(`antechamber: ${message}\n`);
  process.exitCode = exitCode;
}
