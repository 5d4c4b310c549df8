import type { ConsoleRight } from "@antechamber/client/protocol";
import {
  adminRoles,
  eventRoles,
  mayEndAll,
  type Role,
  recordingRoles,
  viewTokenRoles,
} from "../../../session/permissions.ts";

const rights: Readonly<Record<ConsoleRight, (role: Role) => boolean>> = {
  end: (role) => recordingRoles.includes(role),
  "end-all": (role) => mayEndAll({ role }),
  events: (role) => eventRoles.includes(role),
  statistics: (role) => eventRoles.includes(role),
  "view-tokens": (role) => viewTokenRoles.includes(role),
  administer: (role) => adminRoles.includes(role),
};

/** Returns what a role may do besides reading sessions, so that the console shows only that. The API decides. */
export function mayOf(role: Role): ConsoleRight[] {
  return (Object.keys(rights) as ConsoleRight[]).filter((right) => rights[right](role));
}
