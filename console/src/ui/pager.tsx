import type { JSX } from "preact";
import { hrefOf, place } from "../router.ts";
import { Icon } from "./icon.tsx";

/** The cursors of pages that were shown, by the list and the number of the page. */
const shown = new Map<string, string>();

/** The page of a list that the address names: its number, from 1, and its cursor. */
export interface PagePosition {
  readonly number: number;
  /** `undefined` for the first page. */
  readonly cursor: string | undefined;
}

/** Returns the page that the address names. Reading it in a component renders the component again when it changes. */
export function pagePosition(): PagePosition {
  const { query } = place.value;
  const cursor = query.get("cursor") || undefined;
  const number = Math.floor(Number(query.get("page")));
  return { number: cursor === undefined ? 1 : Math.max(2, number || 2), cursor };
}

export interface PagerProps {
  /** The `next` of the page that is shown; `null` on the last page. */
  readonly next: string | null;
  /** The number of rows on this page, and of all rows if it is known, as a sentence. */
  readonly summary: string;
}

/** The links between the pages of a list. The page is in the address. */
export function Pager({ next, summary }: PagerProps): JSX.Element {
  const { path, query } = place.value;
  const { number, cursor } = pagePosition();
  const { cursor: _, page: __, ...filters } = Object.fromEntries(query);
  const list = hrefOf(path, filters);
  const keyOf = (page: number) => `${page} ${list}`;
  if (cursor !== undefined) shown.set(keyOf(number), cursor);
  const hrefOfPage = (page: number, to: string | undefined) =>
    page === 1 ? list : hrefOf(path, { ...filters, cursor: to, page: String(page) });
  const previous =
    number === 2 ? list : shown.has(keyOf(number - 1)) && hrefOfPage(number - 1, shown.get(keyOf(number - 1)));
  return (
    <nav class="pager" aria-label="Pages">
      <p>
        {summary}
        {number > 1 && <span class="quiet"> · page {number}</span>}
      </p>
      <div class="buttons">
        {number > 2 && (
          <a class="button" href={list}>
            First page
          </a>
        )}
        {previous && (
          <a class="button" href={previous} data-page="previous">
            <Icon name="previous" /> Previous
          </a>
        )}
        {next !== null && (
          <a class="button" href={hrefOfPage(number + 1, next)} data-page="next">
            Next <Icon name="next" />
          </a>
        )}
      </div>
    </nav>
  );
}
