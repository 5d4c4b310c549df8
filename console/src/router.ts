import { computed, type ReadonlySignal, signal } from "@preact/signals";

/**
 * The path of the console on this server, with a slash at its end: `/console/`, or longer below a base path. The bundler
 * puts this file into `assets/`, one level below it.
 */
const consolePath: string = new URL("../", import.meta.url).pathname;

/** The path below which the API is served, without a slash at its end. */
export const apiPath: string = consolePath.replace(/\/console\/$/, "");

/** A place in the console. */
export interface Place {
  /** Path below `/console/`; empty for the first page. */
  readonly path: string;
  readonly query: URLSearchParams;
}

/** Values of the query. A value that is `undefined`, `null` or empty is left out. */
export type QueryValues = Readonly<Record<string, string | null | undefined>>;

const current = signal(readPlace());

/** The place that is shown. */
export const place: ReadonlySignal<Place> = current;

/** The path of the page that is shown. It changes only with the page, and not with its query. */
export const path: ReadonlySignal<string> = computed(() => current.value.path);

addEventListener("popstate", () => {
  current.value = readPlace();
});

/** Returns the address of a place, for links. */
export function hrefOf(to: string, values: QueryValues = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value) query.set(name, value);
  }
  const text = query.toString();
  return `${consolePath}${to}${text && `?${text}`}`;
}

/** Shows a place, given by its address. With `replace`, the back button skips the place that was shown before. */
export function navigate(href: string, { replace = false } = {}): void {
  if (replace) history.replaceState(null, "", href);
  else history.pushState(null, "", href);
  const before = current.value.path;
  current.value = readPlace();
  if (current.value.path !== before) scrollTo(0, 0);
}

/** Changes values of the query and keeps the others. */
export function setQuery(values: QueryValues, options?: { readonly replace?: boolean }): void {
  const { path: to, query } = current.value;
  navigate(hrefOf(to, { ...Object.fromEntries(query), ...values }), options);
}

function readPlace(): Place {
  const url = new URL(location.href);
  const to = url.pathname.startsWith(consolePath) ? url.pathname.slice(consolePath.length) : "";
  return { path: to.replace(/\/$/, ""), query: url.searchParams };
}

/** Follows links to the console without loading the page again. */
export function followLinks(): void {
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || link.target || link.hasAttribute("download")) return;
    const url = new URL(link.href, location.href);
    if (url.origin !== location.origin || !url.pathname.startsWith(consolePath) || url.hash) return;
    event.preventDefault();
    navigate(url.pathname + url.search);
  });
}
