import type { Lifetime } from "../session/lifetime.ts";
import { parseDuration } from "./values.ts";

/** A profile: its name and its lifetimes (contract.md#rule-10). */
export type Profile = readonly [name: string, lifetime: Lifetime];

const NAME = /^[A-Za-z\d_-]{1,32}$/;
/** The shortest and the longest duration, as those of the other lifetimes. */
const LEAST_MS = 1000;
const MOST_MS = 3650 * 24 * 60 * 60 * 1000;

/** Parses a profile such as `remember=30d/90d`; returns a sentence about a fault. */
export function parseProfile(text: string): Profile | string {
  const [, name = "", idleText = "", totalText = ""] = /^([^=]*)=([^/]*)\/(.*)$/.exec(text) ?? [];
  if (name === "") return `${text} is not a name, an idle time and a lifetime, such as remember=30d/90d`;
  if (!NAME.test(name)) return `the name ${name} has other characters than letters, digits, - and _, or more than 32`;
  const [idle, total] = [idleText, totalText].map(parseDuration);
  if (idle === undefined || total === undefined || idle < LEAST_MS || total > MOST_MS) {
    return `the profile ${name} needs an idle time and a lifetime of 1s to 3650d, such as ${name}=30d/90d`;
  }
  if (idle > total) return `the profile ${name} has an idle time (${idleText}) beyond its lifetime (${totalText})`;
  return [name, { idle, total }];
}

/** Returns the names that occur more than once in a list of valid profiles. */
export function repeatedProfiles(texts: readonly string[]): string[] {
  const names = texts.map((text) => text.split("=", 1)[0] as string);
  return [...new Set(names.filter((name, i) => names.indexOf(name) !== i))];
}
