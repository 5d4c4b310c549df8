// needs: caddy

import type { ProxyProgram } from "./proxy-process.ts";

/** Caddy without its administration port and without certificates. */
export const caddy: ProxyProgram = {
  example: "caddy",
  main: { name: "main", text: "{\n\tadmin off\n\tauto_https off\n}\nimport Caddyfile\n" },
  command: (folder) => ["caddy", ...["run", "--config", `${folder}/main`, "--adapter", "caddyfile"]],
  env: (folder) => ({ XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder, HOME: folder }),
};
