import { type Signal, signal } from "@preact/signals";

/** A session or customer that was viewed. */
export interface Recent {
  readonly title: string;
  readonly href: string;
}

const NAME = "antechamber-console.recent";
const MAX_RECENT = 8;

/**
 * The sessions and customers that were viewed last, newest first. Closing the tab deletes the list, because it names
 * customers.
 */
export const recent: Signal<readonly Recent[]> = signal(read());

/** Adds an entry to `recent`. */
export function remember(title: string, href: string): void {
  if (recent.peek()[0]?.href === href) return;
  recent.value = [{ title, href }, ...recent.peek().filter((each) => each.href !== href)].slice(0, MAX_RECENT);
  try {
    sessionStorage.setItem(NAME, JSON.stringify(recent.peek()));
  } catch {
    // The storage is blocked or full. The list lasts until the page is left.
  }
}

function read(): readonly Recent[] {
  try {
    const value: unknown = JSON.parse(sessionStorage.getItem(NAME) ?? "[]");
    return Array.isArray(value) ? value.filter(isRecent).slice(0, MAX_RECENT) : [];
  } catch {
    return [];
  }
}

function isRecent(value: unknown): value is Recent {
  const { title, href } = (value ?? {}) as Partial<Record<keyof Recent, unknown>>;
  return typeof title === "string" && typeof href === "string" && href.startsWith("/");
}
