import type { JSX } from "preact";
import { visiblePages } from "../pages.ts";
import { hasSingleKeys } from "../preferences.ts";
import { Dialog } from "../ui/dialog.tsx";
import { actions } from "./actions.ts";
import { areKeysOpen, generalKeys } from "./keys.ts";

/** The dialog with all keys. */
export function KeyDialog(): JSX.Element | null {
  if (!areKeysOpen.value) return null;
  return (
    <Dialog
      title="Keys"
      onClose={() => {
        areKeysOpen.value = false;
      }}
    >
      <KeyList />
    </Dialog>
  );
}

/** All keys: those of the current page, those of every page, and those that open pages. */
export function KeyList(): JSX.Element {
  const own = actions.value.flatMap(({ key, title }) => (key === undefined ? [] : [[key, title] as const]));
  const leading = visiblePages.value.flatMap(({ key, title }) =>
    key === undefined ? [] : [[`g ${key}`, title] as const],
  );
  return (
    <>
      <label class="switch">
        <input
          type="checkbox"
          checked={hasSingleKeys.value}
          onChange={(event) => {
            hasSingleKeys.value = event.currentTarget.checked;
          }}
        />
        Single keys are shortcuts
      </label>
      <div class="key-groups">
        {own.length > 0 && <KeyGroup title="On this page" keys={own} />}
        <KeyGroup title="Everywhere" keys={generalKeys} />
        <KeyGroup title="Go to" keys={leading} />
      </div>
    </>
  );
}

function KeyGroup({ title, keys }: { readonly title: string; readonly keys: typeof generalKeys }): JSX.Element {
  return (
    <section>
      <h3>{title}</h3>
      <dl class="keys">
        {keys.map(([each, meaning]) => (
          <div key={each + meaning}>
            <dt>
              {each.split(" ").map((part) => (
                <kbd key={part}>{part}</kbd>
              ))}
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
