import { type Signal, useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";

export interface RowListProps {
  /** Name of the list, for screen readers. */
  readonly label: string;
  readonly count: number;
  readonly keyOf: (index: number) => string;
  /** Height of a row in rem. It may depend only on the row's index and `isNarrow`. */
  readonly heightOf: (index: number, isNarrow: boolean) => number;
  /** Renders a row. A row with a button can have the focus; `isCurrent` is whether Tab leads to it. */
  readonly render: (index: number, isCurrent: boolean) => ComponentChildren;
  /** Whether a row has a button. */
  readonly hasButton: (index: number) => boolean;
  /** The row that has or gets the focus. Setting it scrolls to the row; with `focus`, it also gets the focus. */
  readonly current: Signal<CurrentRow>;
}

/** The row of a list that the keys have reached. */
export interface CurrentRow {
  readonly index: number;
  readonly focus: boolean;
}

/** How far above and below the window rows are rendered, in pixels. */
const OVERSCAN = 600;
const NARROW = "(max-width: 48rem)";

/**
 * A long list that scrolls with the page and renders only the rows near the window. The arrow keys, Home, End,
 * Page Up and Page Down move the focus between rows with buttons.
 */
export function RowList(props: RowListProps): JSX.Element {
  const { label, count, keyOf, heightOf, render, hasButton, current } = props;
  const list = useRef<HTMLOListElement>(null);
  const isNarrow = useMediaQuery(NARROW);
  const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
  const tops = useMemo(() => {
    const sums = new Float64Array(count + 1);
    for (let index = 0; index < count; index++) sums[index + 1] = (sums[index] ?? 0) + heightOf(index, isNarrow) * rem;
    return sums;
  }, [count, heightOf, isNarrow, rem]);
  const topOf = (index: number) => tops[index] ?? 0;
  const { from, to } = useVisibleRange(list, tops, count);

  const move = (start: number, step: 1 | -1) => {
    for (let index = start; index >= 0 && index < count; index += step) {
      if (!hasButton(index)) continue;
      current.value = { index, focus: true };
      return;
    }
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { index } = current.value;
    const moves: Readonly<Record<string, () => void>> = {
      ArrowDown: () => move(index + 1, 1),
      ArrowUp: () => move(index - 1, -1),
      PageDown: () => move(Math.min(count - 1, index + 15), 1),
      PageUp: () => move(Math.max(0, index - 15), -1),
      Home: () => move(0, 1),
      End: () => move(count - 1, -1),
    };
    const run = moves[event.key];
    if (!run) return;
    event.preventDefault();
    run();
  };

  const { index: currentIndex, focus } = current.value;
  useLayoutEffect(() => {
    const element = list.current;
    if (!element || currentIndex < 0 || currentIndex >= count || !focus) return;
    const top = element.getBoundingClientRect().top + topOf(currentIndex);
    const bottom = element.getBoundingClientRect().top + topOf(currentIndex + 1);
    if (top < 140) scrollBy(0, top - innerHeight / 3);
    else if (bottom > innerHeight - 24) scrollBy(0, bottom - innerHeight * (2 / 3));
    element.querySelector<HTMLElement>(`[data-index="${currentIndex}"] button`)?.focus({ preventScroll: true });
  }, [current.value]);

  const shown: number[] = [];
  for (let index = from; index < to; index++) shown.push(index);
  if (currentIndex >= 0 && currentIndex < count && (currentIndex < from || currentIndex >= to))
    shown.push(currentIndex);
  // Until a key is used, Tab goes to the first row with a button.
  const tabStop = currentIndex >= 0 && currentIndex < count ? currentIndex : shown.find(hasButton);
  return (
    <ol ref={list} class="row-list" aria-label={label} style={{ height: `${topOf(count)}px` }} onKeyDown={onKeyDown}>
      {shown.map((index) => (
        <li
          key={keyOf(index)}
          data-index={index}
          aria-setsize={count}
          aria-posinset={index + 1}
          style={{ top: `${topOf(index)}px`, height: `${topOf(index + 1) - topOf(index)}px` }}
        >
          {render(index, index === tabStop)}
        </li>
      ))}
    </ol>
  );
}

/** Returns the rows that are near the window. */
function useVisibleRange(list: { readonly current: HTMLElement | null }, tops: Float64Array, count: number) {
  const range = useSignal({ from: 0, to: Math.min(count, 40) });
  useLayoutEffect(() => {
    let frame = 0;
    const update = () => {
      frame = 0;
      const offset = -(list.current?.getBoundingClientRect().top ?? 0);
      const from = indexAt(tops, offset - OVERSCAN);
      const to = Math.min(count, indexAt(tops, offset + innerHeight + OVERSCAN) + 1);
      if (from !== range.peek().from || to !== range.peek().to) range.value = { from, to };
    };
    const schedule = () => {
      if (frame === 0) frame = requestAnimationFrame(update);
    };
    update();
    addEventListener("scroll", schedule, { passive: true });
    addEventListener("resize", schedule);
    return () => {
      cancelAnimationFrame(frame);
      removeEventListener("scroll", schedule);
      removeEventListener("resize", schedule);
    };
  }, [tops, count]);
  const { from, to } = range.value;
  return { from: Math.min(from, count), to: Math.min(to, count) };
}

/** Returns the row at a height, by binary search. */
function indexAt(tops: Float64Array, height: number): number {
  let low = 0;
  let high = Math.max(0, tops.length - 2);
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((tops[middle] ?? 0) <= height) low = middle;
    else high = middle - 1;
  }
  return low;
}

function useMediaQuery(query: string): boolean {
  const matches = useSignal(matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const update = () => {
      matches.value = media.matches;
    };
    media.addEventListener("change", update);
    return () => media.removeEventListener("change", update);
  }, [query]);
  return matches.value;
}
