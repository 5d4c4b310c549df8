import { computed, type ReadonlySignal, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { IconName } from "../ui/icon.tsx";

/** An action on the current page: in the palette, and with a key if it has one. */
export interface Action {
  /** Words in the palette and in the list of keys, such as "Jump to the first error". */
  readonly title: string;
  readonly run: () => void;
  /** A single key, such as "e". It overrides the key's general meaning; do not override g, t, / and ?. */
  readonly key?: string | undefined;
  readonly icon?: IconName | undefined;
}

const groups = signal<readonly { readonly actions: readonly Action[] }[]>([]);

/** The actions of all components that are shown. */
export const actions: ReadonlySignal<readonly Action[]> = computed(() =>
  groups.value.flatMap((group) => group.actions),
);

/** Offers actions while the component is shown. Each rendering may pass new objects. */
export function useActions(offered: readonly Action[]): void {
  const newest = useRef(offered);
  newest.current = offered;
  const shape = JSON.stringify(offered.map(({ title, key, icon }) => [title, key, icon]));
  useEffect(() => {
    const group = {
      actions: newest.current.map((action, index) => ({ ...action, run: () => newest.current[index]?.run() })),
    };
    groups.value = [...groups.peek(), group];
    return () => {
      groups.value = groups.peek().filter((each) => each !== group);
    };
  }, [shape]);
}
