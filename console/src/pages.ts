import { computed, type ReadonlySignal } from "@preact/signals";
import type { ComponentType } from "preact";
import { type Role, viewer } from "./api/viewer.ts";
import type { IconName } from "./ui/icon.tsx";

/** A page of the console. */
export interface PageEntry {
  /** Path below `/console/`, without a slash in it; not `session`, which belongs to the API. */
  readonly path: string;
  readonly title: string;
  readonly icon: IconName;
  /** The letter that opens the page after `g`. */
  readonly key?: string;
  /** The roles that may see the page; all of them if it is missing. What they may do there, the API decides. */
  readonly roles?: readonly Role[];
  /** Whether the navigation leaves the page out, because it needs an id, for example. */
  readonly isHidden?: boolean;
  /** Whether the page fills the window, without navigation and top bar, such as the sign-in. */
  readonly isBare?: boolean;
  /** Loads the component of the page when it is first shown. */
  readonly load: () => Promise<ComponentType>;
}

/** All pages, in the order of the navigation. */
export const pages: readonly PageEntry[] = [
  {
    path: "overview",
    title: "Overview",
    icon: "overview",
    key: "o",
    roles: ["service", "reporter", "administrator"],
    load: async () => (await import("./pages/overview/overview-page.tsx")).OverviewPage,
  },
  {
    path: "search",
    title: "Search",
    icon: "search",
    key: "s",
    load: async () => (await import("./pages/search/search-page.tsx")).SearchPage,
  },
  {
    path: "sessions",
    title: "Session",
    icon: "session",
    isHidden: true,
    load: async () => (await import("./pages/session/session-page.tsx")).SessionPage,
  },
  {
    path: "customer",
    title: "Customer",
    icon: "customer",
    isHidden: true,
    load: async () => (await import("./pages/customer/customer-page.tsx")).CustomerPage,
  },
  {
    path: "live",
    title: "Live",
    icon: "live",
    key: "l",
    roles: ["service", "reporter", "administrator"],
    load: async () => (await import("./pages/live/live-page.tsx")).LivePage,
  },
  {
    path: "webhooks",
    title: "Webhooks",
    icon: "webhook",
    key: "w",
    roles: ["administrator"],
    load: async () => (await import("./pages/webhooks/webhooks-page.tsx")).WebhooksPage,
  },
  {
    path: "keys",
    title: "API keys",
    icon: "key",
    key: "k",
    roles: ["administrator"],
    load: async () => (await import("./pages/keys/keys-page.tsx")).KeysPage,
  },
  {
    path: "audit",
    title: "Audit trail",
    icon: "audit",
    key: "a",
    roles: ["administrator"],
    load: async () => (await import("./pages/audit/audit-page.tsx")).AuditPage,
  },
  {
    path: "settings",
    title: "Settings",
    icon: "settings",
    key: "e",
    roles: ["administrator"],
    load: async () => (await import("./pages/settings/settings-page.tsx")).SettingsPage,
  },
  {
    path: "sign-in",
    title: "Sign in",
    icon: "sign-in",
    isHidden: true,
    isBare: true,
    load: async () => (await import("./pages/sign-in/sign-in-page.tsx")).SignInPage,
  },
  {
    path: "help",
    title: "Help",
    icon: "help",
    key: "h",
    load: async () => (await import("./pages/help/help-page.tsx")).HelpPage,
  },
];

/** The pages of the navigation for the person at the console, in order. */
export const visiblePages: ReadonlySignal<readonly PageEntry[]> = computed(() => {
  const role = viewer.value?.role;
  return pages.filter((page) => !page.isHidden && role !== undefined && isShownTo(page, role));
});

/** Returns whether people with this role may see a page. */
export function isShownTo({ roles }: PageEntry, role: Role): boolean {
  return roles === undefined || roles.includes(role);
}
