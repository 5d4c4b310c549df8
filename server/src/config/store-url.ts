import { masked } from "./faults.ts";

/** The parsed value of the setting `store`. */
export type StoreUrl =
  | { readonly engine: "sqlite" }
  | {
      readonly engine: "redis";
      readonly kind: "single" | "cluster" | "sentinel";
      readonly isTls: boolean;
      readonly hosts: readonly { readonly host: string; readonly port: number }[];
      /** Name of the primary in Sentinel; `undefined` without Sentinel. */
      readonly name: string | undefined;
      readonly username: string | undefined;
      readonly password: string | undefined;
      readonly database: number;
      /** The URL for messages, without user and password. */
      readonly label: string;
    };

/** Text that follows "allowed is" in a message. */
export const allowedStoreUrls =
  "sqlite, redis://host:6379/0, redis+cluster://host:6379,host:6379 or redis+sentinel://host:26379,host:26379/name; rediss for TLS; user:password@ before the hosts";

const FORM = /^(rediss?)(?:\+(cluster|sentinel))?:\/\/(?:([^/@]*)@)?([^/@?#]+)(?:\/([^/?#]*))?$/;
const HOST = /^(?:\[([\da-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/i;

/** Parses the URL of a store. Returns a sentence about the fault if the text is invalid. */
export function parseStoreUrl(text: string): StoreUrl | string {
  if (text === "sqlite") return { engine: "sqlite" };
  const [, scheme, kind = "single", credentials, authority = "", path = ""] = FORM.exec(text) ?? [];
  if (scheme === undefined) return "it has none of these forms (special characters in a password are written as %XX)";
  const user = parseCredentials(credentials);
  if (user === undefined) return "user and password are not properly encoded";
  const hosts = authority.split(",").map((one) => parseHost(one, kind === "sentinel" ? 26_379 : 6379));
  if (hosts.some((host) => host === undefined)) return "a host is written as name:port or [address]:port";
  if (kind === "single" && hosts.length > 1) return "several hosts need redis+cluster or redis+sentinel";
  if (kind === "sentinel" && path === "") return "the name of the primary is missing, as in redis+sentinel://host/name";
  if (kind === "cluster" && path !== "") return "a cluster has no numbered databases";
  if (kind === "single" && !/^\d{0,6}$/.test(path)) return "after the slash the number of a database is expected";
  return {
    engine: "redis",
    kind: kind as "single" | "cluster" | "sentinel",
    isTls: scheme === "rediss",
    hosts: hosts as { host: string; port: number }[],
    name: kind === "sentinel" ? path : undefined,
    ...user,
    database: kind === "single" ? Number(path) : 0,
    label: masked(text),
  };
}

function parseHost(text: string, defaultPort: number): { host: string; port: number } | undefined {
  const [, address, name, port] = HOST.exec(text) ?? [];
  const host = address ?? name;
  const number = port === undefined ? defaultPort : Number(port);
  return host === undefined || number < 1 || number > 65_535 ? undefined : { host, port: number };
}

function parseCredentials(
  text: string | undefined,
): { username: string | undefined; password: string | undefined } | undefined {
  if (text === undefined) return { username: undefined, password: undefined };
  const [username = "", ...rest] = text.split(":");
  try {
    const password = decodeURIComponent(rest.join(":"));
    return { username: decodeURIComponent(username) || undefined, password: password || undefined };
  } catch {
    return undefined;
  }
}
