import type { EventReset } from "@antechamber/client/administration";
import type { EventInfo } from "@antechamber/client/protocol";
import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";

/** A row of the list: an event, or a notice that events may be missing above the row below it. */
export type EventRow =
  | { readonly key: string; readonly event: EventInfo }
  | { readonly key: string; readonly event: undefined; readonly notice: string };

/** Maximum number of rows that are shown, and of rows that wait while the list is paused. Older ones are dropped. */
const MAX_ROWS = 200;

/** The newest events, of which only some are in memory. */
export class EventRows {
  readonly #shown = signal<readonly EventRow[]>([]);
  readonly #waiting = signal<readonly EventRow[]>([]);
  readonly #count = signal(0);
  #notices = 0;
  /** Whether the list is paused: new events wait. */
  readonly isHeld: Signal<boolean> = signal(false);
  /** The rows, newest first. */
  readonly shown: ReadonlySignal<readonly EventRow[]> = computed(() => this.#shown.value);
  /** Number of new events since the list was paused, including those that were dropped. */
  readonly waiting: ReadonlySignal<number> = computed(() => this.#count.value);

  /** Adds events, oldest first. */
  add(events: readonly (EventInfo | EventReset)[]): void {
    this.#add(
      events.map((event) =>
        event.type === "reset" ? this.#noticeOf("Events before this are no longer kept.") : { key: event.id, event },
      ),
    );
  }

  addNotice(text: string): void {
    this.#add([this.#noticeOf(text)]);
  }

  /** Shows the events that wait. */
  show(): void {
    this.#shown.value = merged(this.#waiting.value, this.#shown.value);
    this.#waiting.value = [];
    this.#count.value = 0;
  }

  clear(): void {
    this.#shown.value = [];
    this.#waiting.value = [];
    this.#count.value = 0;
  }

  #noticeOf(notice: string): EventRow {
    return { key: `notice ${++this.#notices}`, event: undefined, notice };
  }

  #add(rows: readonly EventRow[]): void {
    const newest = rows.slice(-MAX_ROWS).toReversed();
    if (this.isHeld.value) {
      this.#waiting.value = merged(newest, this.#waiting.value);
      this.#count.value += rows.length;
    } else this.#shown.value = merged(newest, this.#shown.value);
  }
}

function merged(newer: readonly EventRow[], older: readonly EventRow[]): readonly EventRow[] {
  return [...newer, ...older].slice(0, MAX_ROWS);
}
