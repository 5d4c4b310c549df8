import { type Signal, signal } from "@preact/signals";
import { apiUrl, consoleFetch } from "./api.ts";

/** The roles that may use the console. */
export type Role = "agent" | "service" | "reporter" | "administrator";

/** The person at the console. */
export interface Viewer {
  readonly role: Role;
  /** Name of the API key or account; `null` without one. */
  readonly name: string | null;
  /** Address of a trace, with `{traceId}` in it; `null` if none is configured. */
  readonly traceUrl: string | null;
}

/** The person at the console; `undefined` until it is known. */
export const viewer: Signal<Viewer | undefined> = signal(undefined);

const everybody: Viewer = { role: "administrator", name: null, traceUrl: null };

/** Asks the server who is at the console. Without an answer, pages are shown as to an administrator; the API decides. */
export async function loadViewer(): Promise<void> {
  try {
    const response = await consoleFetch(`${apiUrl}/console/session`, { headers: { accept: "application/json" } });
    const isJson = response.headers.get("content-type")?.startsWith("application/json") === true;
    const known = response.ok && isJson ? ((await response.json()) as Partial<Viewer>) : {};
    viewer.value = { ...everybody, ...known };
  } catch {
    viewer.value = everybody;
  }
}
