import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { messageOf } from "../api/messages.ts";
import { Icon } from "./icon.tsx";

export interface DialogProps {
  readonly title: string;
  /** Called when the dialog is closed: by its button, by Esc or by a click beside it. */
  readonly onClose: () => void;
  readonly children: ComponentChildren;
  /** Class names for a dialog of another shape. */
  readonly class?: string | undefined;
}

/**
 * A modal dialog while it is rendered. The focus goes to the first element with `autofocus`, stays inside, and returns to
 * where it was.
 */
export function Dialog({ title, onClose, children, class: className = "" }: DialogProps): JSX.Element {
  const ref = useRef<HTMLDialogElement>(null);
  const headingId = useId();
  useEffect(() => {
    // Inside a shadow root, the document knows only the host.
    const root = ref.current?.getRootNode() as Document | ShadowRoot | undefined;
    const before = root?.activeElement;
    ref.current?.showModal();
    return () => {
      ref.current?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      class={`dialog ${className}`}
      aria-labelledby={headingId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onPointerDown={(event) => {
        if (event.target === ref.current) onClose();
      }}
    >
      <div class="dialog-body">
        <header>
          <h2 id={headingId}>{title}</h2>
          <button type="button" class="quiet icon-only" aria-label="Close" onClick={onClose}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

export interface ConfirmProps {
  readonly title: string;
  /** Text of the button that confirms, such as "End 3 sessions". */
  readonly action: string;
  /** Runs the action. The dialog closes if it succeeds, and shows the reason if it fails. */
  readonly onConfirm: () => Promise<void>;
  readonly onClose: () => void;
  /** Explanation of the consequences, and whether they can be undone. */
  readonly children: ComponentChildren;
  /** Text that must be typed first, for an action that cannot be undone. */
  readonly typed?: string | undefined;
  /** Prevents confirming, for example while a count is loaded. */
  readonly isBlocked?: boolean | undefined;
}

/** A dialog that asks for confirmation of an action. */
export function Confirm(props: ConfirmProps): JSX.Element {
  const { title, action, onConfirm, onClose, children, typed, isBlocked = false } = props;
  const text = useSignal("");
  const isBusy = useSignal(false);
  const failure = useSignal<string | undefined>(undefined);
  const inputId = useId();
  const isReady = !isBlocked && (typed === undefined || text.value === typed);
  const confirm = async () => {
    if (!isReady || isBusy.value) return;
    isBusy.value = true;
    failure.value = undefined;
    try {
      await onConfirm();
      onClose();
    } catch (error) {
      failure.value = messageOf(error);
    } finally {
      isBusy.value = false;
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void confirm();
        }}
      >
        {children}
        {typed !== undefined && (
          <div class="field">
            <label for={inputId}>
              Type <strong class="typed">{typed}</strong> to confirm
            </label>
            <input
              id={inputId}
              type="text"
              autocomplete="off"
              spellcheck={false}
              autofocus
              value={text.value}
              onInput={(event) => {
                text.value = event.currentTarget.value;
              }}
            />
          </div>
        )}
        <p class="form-error" role="alert">
          {failure.value}
        </p>
        <div class="buttons">
          <button type="button" onClick={onClose} autofocus={typed === undefined}>
            Cancel
          </button>
          <button type="submit" class="danger" disabled={!isReady || isBusy.value}>
            {isBusy.value ? "Please wait…" : action}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
