import type { DatabaseSync } from "node:sqlite";
import type { EventLog } from "../../ports/events.ts";
import { EventPages } from "../events/event-pages.ts";
import type { StoredReader } from "./stored-reader.ts";

/** The event log on the serving thread. */
export class SqliteEventLog implements EventLog {
  readonly #reader: StoredReader;
  readonly #listeners = new Set<() => void>();
  #pages: EventPages | undefined;
  #isNotifying = false;

  constructor(reader: StoredReader) {
    this.#reader = reader;
  }

  readonly eventBounds = async () => this.#reader.read((database) => this.#pagesOf(database).bounds());

  readonly readEvents: EventLog["readEvents"] = async (request) =>
    this.#reader.read((database) => this.#pagesOf(database).read(request));

  readonly onEvents: EventLog["onEvents"] = (listener) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Calls the listeners once, after this turn of the event loop, however often this is called in it. */
  notify(): void {
    if (this.#isNotifying || this.#listeners.size === 0) return;
    this.#isNotifying = true;
    setImmediate(() => {
      this.#isNotifying = false;
      for (const listener of this.#listeners) listener();
    });
  }

  #pagesOf(database: DatabaseSync): EventPages {
    this.#pages ??= new EventPages(database);
    return this.#pages;
  }
}
