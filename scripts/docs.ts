// Puts what is known in the source into the documents: the settings into
// docs/operating.md, the help of every command into docs/cli.md, each between a
// pair of marks. Run by Bun or by Node 24 or later:
//
//   docs.ts --check   fails when a document is behind the source
//   docs.ts --write   brings the documents up to date
import { readFileSync, writeFileSync } from "node:fs";
import { processOutput } from "../server/src/cli/output.ts";
import { createProgram } from "../server/src/cli/program.ts";
import { commandReference } from "../server/src/cli/reference.ts";
import { settingsTable } from "../server/src/config/docs.ts";

const parts = [
  { file: "docs/operating.md", name: "settings", text: settingsTable() },
  { file: "docs/cli.md", name: "commands", text: commandReference(createProgram(processOutput)) },
];
const isCheck = process.argv[2] !== "--write";

for (const { file, name, text } of parts) {
  const url = new URL(`../${file}`, import.meta.url);
  const before = readFileSync(url, "utf8");
  const after = withPart(before, name, text);
  if (after === before) continue;
  if (isCheck) {
    console.log(`${file} is behind the source: npm run docs:write brings it up to date`);
    process.exitCode = 1;
  } else {
    writeFileSync(url, after);
    console.log(`${file} was written`);
  }
}

function withPart(document: string, name: string, text: string): string {
  const [start, end] = [`<!-- ${name}: made from the source -->`, `<!-- end of ${name} -->`];
  const [from, to] = [document.indexOf(start), document.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`the marks of ${name} are not in the document`);
  return `${document.slice(0, from + start.length)}\n${text}\n${document.slice(to)}`;
}
