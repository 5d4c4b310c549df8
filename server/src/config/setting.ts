import type { Kind } from "./kinds.ts";

/** A setting. Its flag, its variable, its name in the file and its row in the documentation follow from its name. */
export interface Setting extends Kind {
  /** The default, in the form in which it would be written in the environment. */
  readonly default: string;
  /** Description for the documentation and `--help`: one sentence without a full stop. */
  readonly description: string;
  /** Set for a secret. It is never shown and has no flag: all users of a machine can read a process's flags. */
  readonly isSecret?: true;
  /** The only `auth` mode in which the setting has an effect. */
  readonly auth?: "jwt" | "proxy";
}

/** The default and the mode of a setting that only concerns tokens. */
export const ofModeJwt = { default: "", auth: "jwt" } as const;
