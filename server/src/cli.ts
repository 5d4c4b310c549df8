import { exitCodes, exitOf } from "./cli/exit-codes.ts";
import { processOutput } from "./cli/output.ts";
import { createProgram } from "./cli/program.ts";
import { onUncaught } from "./cli/uncaught.ts";

/* The command line, which `bin/antechamber` starts. Results go to stdout, remarks and logs to stderr. */

// Only the owner may open files that this process creates: data, backups and sockets.
process.umask(0o077);

for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // The program that reads the output has ended. `head`, for example, ends before it has read everything.
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
