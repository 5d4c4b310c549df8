import { signal } from "@preact/signals";
import { visiblePages } from "../pages.ts";
import { hasSingleKeys, timeForm } from "../preferences.ts";
import { hrefOf, navigate } from "../router.ts";
import { announce } from "../ui/status.tsx";
import { actions } from "./actions.ts";

/** Whether the palette is open. */
export const isPaletteOpen = signal(false);
/** Whether the list of keys is open. */
export const areKeysOpen = signal(false);

/** The id of the search box in the top bar. */
export const SEARCH_BOX = "search-box";

/** Time in milliseconds for the letter after `g`. */
const SECOND_KEY_MS = 1500;

let goPressedAt = Number.NEGATIVE_INFINITY;

/** The keys that work everywhere, for the list of keys. */
export const generalKeys: readonly (readonly [keys: string, meaning: string])[] = [
  ["Ctrl K", "Open the palette: pages, actions, recently viewed"],
  ["/", "Go to the search box"],
  ["j", "Next row or entry"],
  ["k", "Previous row or entry"],
  ["Enter", "Open the row"],
  ["]", "Next page of the list"],
  ["[", "Previous page of the list"],
  ["t", "Relative times or dates"],
  ["Esc", "Close what is open"],
  ["?", "This list"],
];

/** Listens to the keys of the whole console. */
export function listenToKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
      event.preventDefault();
      isPaletteOpen.value = !isPaletteOpen.value;
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || !hasSingleKeys.value || isTyping(event.target)) return;
    // In a dialog, only its own keys work.
    if (document.querySelector("dialog[open]")) return;
    if (pressed(event.key, event.timeStamp)) event.preventDefault();
  });
}

/** Handles a single key. Returns whether it has a meaning. */
function pressed(key: string, at: number): boolean {
  if (at - goPressedAt < SECOND_KEY_MS) {
    goPressedAt = Number.NEGATIVE_INFINITY;
    const page = visiblePages.value.find((each) => each.key === key);
    if (page) navigate(hrefOf(page.path));
    return page !== undefined;
  }
  const action = actions.value.findLast((each) => each.key === key);
  if (action) {
    action.run();
    return true;
  }
  const run = general[key];
  run?.(at);
  return run !== undefined;
}

const general: Readonly<Record<string, (at: number) => void>> = {
  g: (at) => {
    goPressedAt = at;
  },
  "/": () => {
    const box = document.getElementById(SEARCH_BOX);
    if (box instanceof HTMLInputElement) {
      box.focus();
      box.select();
    }
  },
  "?": () => {
    areKeysOpen.value = true;
  },
  t: () => {
    timeForm.value = timeForm.value === "relative" ? "absolute" : "relative";
    announce(timeForm.value === "relative" ? "Times are relative" : "Times are dates");
  },
  j: () => moveBetweenRows(1),
  k: () => moveBetweenRows(-1),
  "]": () => followPage("next"),
  "[": () => followPage("previous"),
};

/** Moves the focus to the first link or button of the next or previous row. */
function moveBetweenRows(step: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>("main [data-row]")];
  const current = rows.findIndex((row) => row.contains(document.activeElement));
  const target = rows[current === -1 ? (step === 1 ? 0 : rows.length - 1) : current + step];
  const part = target?.matches("a, button, [tabindex]")
    ? target
    : target?.querySelector<HTMLElement>("a, button, [tabindex]");
  part?.focus();
  target?.scrollIntoView({ block: "nearest" });
}

function followPage(name: "next" | "previous"): void {
  document.querySelector<HTMLAnchorElement>(`main a[data-page="${name}"]`)?.click();
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.matches("select, textarea, input:not([type=checkbox], [type=radio])");
}
