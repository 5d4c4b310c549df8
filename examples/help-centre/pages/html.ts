/** Text that is HTML already. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** Content of a page. `null` and `false` are empty. */
export type Content = Markup | string | number | null | false | readonly Content[];

/** Builds HTML. Everything that is put in is escaped, except other HTML. */
export function html(strings: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  return new Markup(
    strings.map((string, index) => string + render(contents[index] ?? null)).join(""),
  );
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function render(content: Content): string {
  if (content instanceof Markup) return content.text;
  if (content === null || content === false) return "";
  if (typeof content === "object") return content.map(render).join("");
  return String(content).replace(/[&<>"']/g, (character) => entities[character] ?? "");
}
