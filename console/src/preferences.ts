import { effect, type Signal, signal } from "@preact/signals";

const PREFIX = "antechamber-console.";

/**
 * Returns a signal whose value is stored in this browser. A stored value that `isValid` refuses is ignored. If the browser
 * blocks the storage, the value lasts until the page is left.
 */
export function preference<T>(name: string, initial: T, isValid: (value: unknown) => value is T): Signal<T> {
  const kept = signal(read(name, isValid) ?? initial);
  let isFirst = true;
  effect(() => {
    const text = JSON.stringify(kept.value);
    if (!isFirst) write(name, text);
    isFirst = false;
  });
  return kept;
}

function read<T>(name: string, isValid: (value: unknown) => value is T): T | undefined {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(PREFIX + name) ?? "null");
    return isValid(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function write(name: string, text: string): void {
  try {
    localStorage.setItem(PREFIX + name, text);
  } catch {
    // The storage is blocked or full.
  }
}

/** Returns a check for one of these texts. */
function oneOf<const T extends string>(...texts: readonly T[]): (value: unknown) => value is T {
  return (value): value is T => texts.some((text) => text === value);
}

const isBoolean = (value: unknown): value is boolean => typeof value === "boolean";

/** The colours: those of the system, light or dark. */
export const theme: Signal<"system" | "light" | "dark"> = preference(
  "theme",
  "system",
  oneOf("system", "light", "dark"),
);

/** Whether times are shown as "3 minutes ago" or as dates. */
export const timeForm: Signal<"relative" | "absolute"> = preference(
  "timeForm",
  "relative",
  oneOf("relative", "absolute"),
);

/** Whether single keys such as `j` and `/` are shortcuts (WCAG 2.1.4). */
export const hasSingleKeys: Signal<boolean> = preference("singleKeys", true, isBoolean);
