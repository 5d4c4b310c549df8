import type { Subject } from "../subject.ts";
import { antechamber } from "./antechamber.ts";
import { nginxLua } from "./nginx-lua.ts";
import { nginxFile, nginxReturn } from "./nginx-static.ts";
import { expressSession, fastifySession } from "./node-peers.ts";

/** All subjects, in the order of the report. */
export const subjects: Subject[] = [
  antechamber("bun"),
  antechamber("node"),
  expressSession("memory"),
  expressSession("always"),
  fastifySession("memory"),
  fastifySession("always"),
  nginxLua("memory"),
  nginxLua("always"),
  nginxReturn,
  nginxFile,
];
