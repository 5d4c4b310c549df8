import { type Signal, signal } from "@preact/signals";
import type { JSX } from "preact";
import { Icon } from "./icon.tsx";

/** A message that is shown for a while. */
interface Toast {
  readonly id: number;
  readonly text: string;
  readonly isFailure: boolean;
}

const toasts: Signal<readonly Toast[]> = signal([]);
const announcement = signal("");
let lastId = 0;

/** Time in milliseconds for which a message about a success is shown. Failures stay until they are closed. */
const SHOWN_MS = 6000;

/** Shows a message that something has succeeded, and reads it to people who use a screen reader. */
export function notify(text: string): void {
  const { id } = add(text, false);
  setTimeout(() => close(id), SHOWN_MS);
}

/** Shows a message that something has failed, until it is closed. */
export function notifyFailure(text: string): void {
  add(text, true);
}

/** Reads a text to people who use a screen reader, and shows nothing. */
export function announce(text: string): void {
  // Screen readers do not read the same text twice. A silent space makes it another text.
  announcement.value = announcement.peek() === text ? `${text} ` : text;
}

function add(text: string, isFailure: boolean): Toast {
  const toast = { id: ++lastId, text, isFailure };
  toasts.value = [...toasts.value.slice(-3), toast];
  return toast;
}

function close(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

/** The region of the messages. It is always in the page, because screen readers read only regions that existed before. */
export function StatusRegion(): JSX.Element {
  return (
    <>
      <div class="visually-hidden" role="status" data-region="announcement">
        {announcement.value}
      </div>
      <div class="toasts" role="status" data-region="toasts">
        {toasts.value.map(({ id, text, isFailure }) => (
          <div key={id} class={isFailure ? "toast failure" : "toast"}>
            <Icon name={isFailure ? "alert" : "check"} />
            <p>{text}</p>
            <button type="button" class="quiet icon-only" aria-label="Close this message" onClick={() => close(id)}>
              <Icon name="close" />
            </button>
          </div>
        ))}
      </div>
    </>
  );
}
