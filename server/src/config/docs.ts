import { flagOf, settingNames, settingOf, variableOf } from "./settings.ts";

/** Returns the table of the settings in Markdown, for `docs/operating.md`. */
export function settingsTable(): string {
  const rows = settingNames.map((name) => {
    const setting = settingOf(name);
    const value = setting.default === "" ? "none" : code(setting.default);
    const flags = setting.isSecret === true ? [] : [code(flagOf(name))];
    const names = [code(variableOf(name)), ...flags, code(name)].join("<br>");
    const allowed = setting.isList === true ? `${setting.allowed}; several with commas` : setting.allowed;
    return `| ${names} | ${value} | ${setting.description}. | ${allowed.replaceAll("|", "\\|")} |`;
  });
  return ["| variable, flag, file key | default | meaning | allowed |", "|---|---|---|---|", ...rows].join("\n");
}

function code(text: string): string {
  return `\`${text}\``;
}
