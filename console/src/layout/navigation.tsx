import type { JSX } from "preact";
import { areKeysOpen } from "../keyboard/keys.ts";
import { visiblePages } from "../pages.ts";
import { hasSingleKeys, theme, timeForm } from "../preferences.ts";
import { hrefOf, path } from "../router.ts";
import { Icon, type IconName } from "../ui/icon.tsx";

/** For a page that the navigation does not list: the page that it marks instead. */
const parents: Readonly<Record<string, string>> = { sessions: "search", customer: "search" };

/** The links to the pages, and the choices of colours and of the form of times. */
export function Navigation(): JSX.Element {
  const current = parents[path.value] ?? path.value;
  return (
    <nav class="navigation" aria-label="Pages of the console" id="navigation">
      <ul>
        {visiblePages.value.map(({ path: to, title, icon, key }) => (
          <li key={to}>
            <a href={hrefOf(to)} aria-current={current === to ? "page" : undefined}>
              <Icon name={icon} />
              <span>{title}</span>
              {key && hasSingleKeys.value && (
                <kbd class="navigation-key" aria-hidden="true">
                  g {key}
                </kbd>
              )}
            </a>
          </li>
        ))}
      </ul>
      <div class="navigation-foot">
        <button
          type="button"
          class="quiet small"
          onClick={() => {
            areKeysOpen.value = true;
          }}
        >
          Keys <kbd aria-hidden="true">?</kbd>
        </button>
        <button
          type="button"
          class="quiet small"
          aria-pressed={timeForm.value === "absolute"}
          onClick={() => {
            timeForm.value = timeForm.value === "relative" ? "absolute" : "relative";
          }}
        >
          Show dates <kbd aria-hidden="true">t</kbd>
        </button>
        <ThemeChoice />
      </div>
    </nav>
  );
}

const themes: readonly (readonly [typeof theme.value, string, IconName])[] = [
  ["system", "System colours", "system"],
  ["light", "Light colours", "sun"],
  ["dark", "Dark colours", "moon"],
];

function ThemeChoice(): JSX.Element {
  return (
    <fieldset class="segments">
      <legend class="visually-hidden">Colours</legend>
      {themes.map(([value, label, icon]) => (
        <label key={value} title={label}>
          <input
            type="radio"
            name="theme"
            checked={theme.value === value}
            onChange={() => {
              theme.value = value;
            }}
          />
          <Icon name={icon} label={label} />
        </label>
      ))}
    </fieldset>
  );
}
