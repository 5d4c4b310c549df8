import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useId } from "preact/hooks";
import { lookUp } from "../pages/search/look-up.ts";
import { visiblePages } from "../pages.ts";
import { hrefOf, navigate } from "../router.ts";
import { Dialog } from "../ui/dialog.tsx";
import { Icon, type IconName } from "../ui/icon.tsx";
import { actions } from "./actions.ts";
import { isPaletteOpen } from "./keys.ts";
import { recent } from "./recent.ts";

interface Entry {
  readonly id: string;
  readonly title: string;
  readonly kind: string;
  readonly icon: IconName;
  readonly run: () => void;
}

function entriesFor(text: string): Entry[] {
  const known: Entry[] = [
    ...actions.value.map(({ title, icon = "play", run }) => ({
      id: `action ${title}`,
      title,
      kind: "Action",
      icon,
      run,
    })),
    ...recent.value.map(({ title, href }) => ({
      id: `recent ${href}`,
      title,
      kind: "Recent",
      icon: "clock" as const,
      run: () => navigate(href),
    })),
    ...visiblePages.value.map(({ title, icon, path }) => ({
      id: `page ${path}`,
      title,
      kind: "Page",
      icon,
      run: () => navigate(hrefOf(path)),
    })),
  ];
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = known.filter(({ title }) => words.every((word) => title.toLowerCase().includes(word)));
  if (words.length === 0) return found;
  const search = { id: "search", title: `Search for “${text.trim()}”`, kind: "Search", icon: "search" as const };
  return [...found, { ...search, run: () => lookUp(text) }];
}

/** The palette: pages, actions of the page, recently viewed sessions and customers, and a search. */
export function Palette(): JSX.Element | null {
  return isPaletteOpen.value ? <OpenPalette /> : null;
}

function OpenPalette(): JSX.Element {
  const text = useSignal("");
  const position = useSignal(0);
  const listId = useId();
  const entries = entriesFor(text.value);
  const chosen = Math.min(position.value, entries.length - 1);
  const close = () => {
    isPaletteOpen.value = false;
  };
  const run = (entry: Entry | undefined) => {
    close();
    // The entry runs after the dialog has returned the focus, because it may move the focus.
    setTimeout(() => entry?.run());
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      position.value = (chosen + step + entries.length) % Math.max(1, entries.length);
      document.getElementById(`${listId}-${position.value}`)?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      run(entries[chosen]);
    }
  };
  return (
    <Dialog title="Palette" class="palette" onClose={close}>
      <input
        type="text"
        role="combobox"
        aria-label="Pages, actions, and recently viewed"
        aria-expanded="true"
        aria-controls={listId}
        aria-activedescendant={chosen >= 0 ? `${listId}-${chosen}` : undefined}
        autocomplete="off"
        spellcheck={false}
        autofocus
        placeholder="Type a page, an action or an id"
        value={text.value}
        onInput={(event) => {
          text.value = event.currentTarget.value;
          position.value = 0;
        }}
        onKeyDown={onKeyDown}
      />
      <div id={listId} class="palette-list" role="listbox" aria-label="Results">
        {entries.map((entry, index) => (
          <div
            key={entry.id}
            id={`${listId}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === chosen}
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => run(entry)}
            onKeyDown={onKeyDown}
          >
            <Icon name={entry.icon} />
            <bdi>{entry.title}</bdi>
            <span class="quiet">{entry.kind}</span>
          </div>
        ))}
      </div>
    </Dialog>
  );
}
