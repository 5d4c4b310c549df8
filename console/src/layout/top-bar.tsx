import { type Signal, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { signOut, viewer } from "../api/viewer.ts";
import { isPaletteOpen, SEARCH_BOX } from "../keyboard/keys.ts";
import { lookUp } from "../pages/search/look-up.ts";
import { hrefOf } from "../router.ts";
import { Icon } from "../ui/icon.tsx";

/** The bar at the top: the name, the search box, and the person. */
export function TopBar({ isMenuOpen }: { readonly isMenuOpen: Signal<boolean> }): JSX.Element {
  return (
    <header class="top-bar">
      <button
        type="button"
        class="quiet icon-only menu-button"
        aria-label="Menu"
        aria-expanded={isMenuOpen.value}
        aria-controls="navigation"
        onClick={() => {
          isMenuOpen.value = !isMenuOpen.value;
        }}
      >
        <Icon name={isMenuOpen.value ? "close" : "menu"} />
      </button>
      <a class="brand" href={hrefOf("search")}>
        <Mark />
        <span>Antechamber</span>
      </a>
      <SearchBox />
      <div class="top-bar-end">
        <button
          type="button"
          class="quiet palette-button"
          onClick={() => {
            isPaletteOpen.value = true;
          }}
        >
          <span>Palette</span> <kbd>Ctrl K</kbd>
        </button>
        {viewer.value && <Person />}
      </div>
    </header>
  );
}

function SearchBox(): JSX.Element {
  const text = useSignal("");
  return (
    <search>
      <form
        class="search-box"
        onSubmit={(event) => {
          event.preventDefault();
          lookUp(text.value);
          text.value = "";
          // In the box, the keys of the list would be letters.
          document.getElementById("page-title")?.focus();
        }}
      >
        <Icon name="search" />
        <input
          id={SEARCH_BOX}
          type="search"
          aria-label="Find a customer, a visit, an agent or a session"
          placeholder="Customer, visit, agent or session"
          autocomplete="off"
          spellcheck={false}
          enterkeyhint="search"
          value={text.value}
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
        />
        <kbd aria-hidden="true">/</kbd>
      </form>
    </search>
  );
}

function Person(): JSX.Element {
  const { name = null, role = "administrator", signIn = "none" } = viewer.value ?? {};
  return (
    <>
      <span class="person" title={`Role: ${role}`}>
        <Icon name="customer" />
        <span>{name ?? role}</span>
      </span>
      {signIn !== "none" && signIn !== "proxy" && (
        <button
          type="button"
          class="quiet icon-only"
          aria-label="Sign out"
          title="Sign out"
          onClick={() => void signOut()}
        >
          <Icon name="sign-out" />
        </button>
      )}
    </>
  );
}

/** The mark of the product. */
export function Mark(): JSX.Element {
  return (
    <svg class="mark" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" />
      <path class="mark-arch" d="M8 26V13a8 8 0 0 1 16 0v13" />
      <path class="mark-door" d="M13 26v-9.5a3 3 0 0 1 6 0V26" />
    </svg>
  );
}
