// Updates the documents that are generated from the sources. The settings go into docs/operating.md, the help of every
// command into docs/cli.md, the parts of the server into ARCHITECTURE.md, and files of examples/ into pages of docs/, each
// between a pair of marks.
// server/openapi.yaml is converted into server/openapi.json. Run this script with Bun, or with Node 24 or later:
//
//   docs.ts --check   fails if a document differs from its source
//   docs.ts --write   updates the documents
import { readFileSync, writeFileSync } from "node:fs";
import { parse } from "yaml";
import { processOutput } from "../server/src/cli/output.ts";
import { createProgram } from "../server/src/cli/program.ts";
import { commandReference } from "../server/src/cli/reference.ts";
import { settingsTable } from "../server/src/config/docs.ts";
import { partsTable } from "../server/test/architecture/parts.ts";

const isCheck = process.argv[2] !== "--write";

update("ARCHITECTURE.md", (before) => withPart(before, "parts", `\n${partsTable()}\n`));
update("docs/operating.md", (before) => withPart(before, "settings", settingsTable()));
update("docs/cli.md", (before) => withPart(before, "commands", commandReference(createProgram(processOutput))));
for (const page of ["from-a-visitor-table", "from-express-session", "next", "nuxt", "python", "sign-in", "sveltekit"])
  update(`docs/${page}.md`, withExamples);
update("server/openapi.json", () => `${lines(parse(read("server/openapi.yaml")), 3)}\n`);

function update(file: string, change: (before: string) => string): void {
  const before = read(file);
  const after = change(before);
  if (after === before) return;
  if (isCheck) {
    console.log(`${file} differs from its source: npm run docs:write brings it up to date`);
    process.exitCode = 1;
  } else {
    writeFileSync(addressOf(file), after);
    console.log(`${file} was written`);
  }
}

function read(file: string): string {
  return readFileSync(addressOf(file), "utf8");
}

function addressOf(file: string): URL {
  return new URL(`../${file}`, import.meta.url);
}

/**
 * Formats JSON with a line for each member, down to `depth` levels, so that Git can merge changes to different ones.
 */
function lines(value: unknown, depth: number): string {
  const isOpen = depth > 0 && typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isOpen) return JSON.stringify(value);
  const members = Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}:${lines(member, depth - 1)}`);
  return `{\n${members.join(",\n")}\n}`;
}

/** Inserts the file of `examples/` that each pair of marks names. */
function withExamples(document: string): string {
  const files = Array.from(
    document.matchAll(/^<!-- (examples\/\S+): made from the source -->$/gm),
    ([, file = ""]) => file,
  );
  return files.reduce((text, file) => withPart(text, file, codeBlock(file)), document);
}

function codeBlock(file: string): string {
  const suffix = file.split(".").at(-1) ?? "";
  const language = suffix === "py" ? "python" : suffix;
  return `\n\`\`\`${language}\n${read(file)}\`\`\`\n`;
}

function withPart(document: string, name: string, text: string): string {
  const [start, end] = [`<!-- ${name}: made from the source -->`, `<!-- end of ${name} -->`];
  const [from, to] = [document.indexOf(start), document.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`the marks of ${name} are not in the document`);
  return `${document.slice(0, from + start.length)}\n${text}\n${document.slice(to)}`;
}
