import { useSignal } from "@preact/signals";
import { type ComponentType, createElement, type JSX } from "preact";
import { useEffect } from "preact/hooks";
import { type Role, viewer } from "../api/viewer.ts";
import { useActions } from "../keyboard/actions.ts";
import { KeyDialog } from "../keyboard/key-list.tsx";
import { Palette } from "../keyboard/palette.tsx";
import { isShownTo, type PageEntry, pages } from "../pages.ts";
import { hrefOf, navigate, path } from "../router.ts";
import { copyText } from "../ui/copy.tsx";
import { NotFound } from "../ui/not-found.tsx";
import { PageHeader } from "../ui/page.tsx";
import { ErrorState, LoadingState } from "../ui/states.tsx";
import { notify, StatusRegion } from "../ui/status.tsx";
import { Navigation } from "./navigation.tsx";
import { TopBar } from "./top-bar.tsx";

/** The page that `/console/` shows. */
const FIRST_PAGE = "search";

/** The whole console: navigation, top bar, and the page that the address names. */
export function App(): JSX.Element {
  const isMenuOpen = useSignal(false);
  const entry = pages.find((page) => page.path === path.value);
  useEffect(() => {
    if (path.value === "") navigate(hrefOf(FIRST_PAGE), { replace: true });
    isMenuOpen.value = false;
  }, [path.value]);
  useEffect(() => {
    const close = (event: KeyboardEvent) => {
      if (event.key === "Escape") isMenuOpen.value = false;
    };
    document.addEventListener("keydown", close);
    return () => document.removeEventListener("keydown", close);
  }, []);
  const copyLink = {
    title: "Copy the link to this page",
    key: "y",
    icon: "link",
    run: () => void copyAddress(),
  } as const;
  useActions(entry?.isBare ? [] : [copyLink]);
  // Without navigation and top bar, such as the sign-in.
  if (entry?.isBare) {
    return (
      <>
        <main id="main" class="bare">
          <PageOutlet key={entry.path} entry={entry} />
        </main>
        <StatusRegion />
      </>
    );
  }
  return (
    <div class={isMenuOpen.value ? "frame menu-open" : "frame"}>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <TopBar isMenuOpen={isMenuOpen} />
      <Navigation />
      <main id="main" tabIndex={-1}>
        {path.value !== "" && viewer.value !== undefined && <PageOutlet key={path.value} entry={entry} />}
      </main>
      <StatusRegion />
      <Palette />
      <KeyDialog />
    </div>
  );
}

async function copyAddress(): Promise<void> {
  if (await copyText(location.href)) notify("Copied the link.");
}

/** Components that are loaded already, so that a page does not flicker when it is shown again. */
const loaded = new Map<string, ComponentType>();

function PageOutlet({ entry }: { readonly entry: PageEntry | undefined }): JSX.Element {
  const component = useSignal(loaded.get(entry?.path ?? ""));
  const failure = useSignal<unknown>(undefined);
  useEffect(() => {
    if (entry === undefined || component.value !== undefined) return;
    const load = async () => {
      try {
        const found = await entry.load();
        loaded.set(entry.path, found);
        component.value = found;
      } catch (error) {
        failure.value = error;
      }
    };
    void load();
  }, [entry]);
  if (entry === undefined) return <UnknownPage />;
  const role = viewer.value?.role;
  if (role !== undefined && !isShownTo(entry, role)) return <PageOfOthers entry={entry} role={role} />;
  if (failure.value !== undefined) {
    return (
      <>
        <PageHeader title={entry.title} />
        <ErrorState error={failure.value} onRetry={() => location.reload()} />
      </>
    );
  }
  return component.value === undefined ? <LoadingState /> : createElement(component.value, null);
}

function UnknownPage(): JSX.Element {
  return (
    <NotFound heading="No such page" icon="search" title="There is no page at this address">
      <p>Look for a session or a customer in the box at the top.</p>
    </NotFound>
  );
}

/** What somebody sees at the address of a page for other roles, for example after following the link of a colleague. */
function PageOfOthers({ entry, role }: { readonly entry: PageEntry; readonly role: Role }): JSX.Element {
  return (
    <NotFound heading={entry.title} icon="key" title={`This page is not for the role ${role}`}>
      <p>Roles that may see it: {entry.roles?.join(", ")}. Sign in with another key or account.</p>
    </NotFound>
  );
}
