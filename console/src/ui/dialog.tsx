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
  /** Keeps the dialog open at a click beside it. */
  readonly isSticky?: boolean | undefined;
}

/**
 * A modal dialog while it is rendered. The focus goes to the first element with `autofocus`, stays inside, and returns to
 * where it was.
 */
export function Dialog({
  title,
  onClose,
  children,
  class: className = "",
  isSticky = false,
}: DialogProps): JSX.Element {
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
        if (event.target === ref.current && !isSticky) onClose();
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

export interface FormDialogProps {
  readonly title: string;
  /** Label of the button that submits the form, such as "Create the key". */
  readonly action: ComponentChildren;
  /** Does what the form is for. The dialog closes if it succeeds, and shows the reason if it fails. */
  readonly onSubmit: () => Promise<void>;
  readonly onClose: () => void;
  /** The fields. */
  readonly children: ComponentChildren;
  /** Whether the action destroys something. */
  readonly isDanger?: boolean | undefined;
  /** Prevents submitting, for example while a count is loaded. */
  readonly isBlocked?: boolean | undefined;
  /** The button that gets the focus when the dialog opens, if none of the fields does. */
  readonly focus?: "cancel" | "action" | undefined;
}

/** A dialog with a form. */
export function FormDialog(props: FormDialogProps): JSX.Element {
  const { title, action, onSubmit, onClose, children, isDanger = false, isBlocked = false, focus } = props;
  const isBusy = useSignal(false);
  const failure = useSignal<string | undefined>(undefined);
  const submit = async () => {
    if (isBlocked || isBusy.value) return;
    isBusy.value = true;
    failure.value = undefined;
    try {
      await onSubmit();
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
          void submit();
        }}
      >
        {children}
        <p class="form-error" role="alert">
          {failure.value}
        </p>
        <div class="buttons">
          <button type="button" onClick={onClose} autofocus={focus === "cancel"}>
            Cancel
          </button>
          <button
            type="submit"
            class={isDanger ? "danger" : "primary"}
            disabled={isBlocked || isBusy.value}
            autofocus={focus === "action"}
          >
            {isBusy.value ? "Please wait…" : action}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

export interface ConfirmProps {
  readonly title: string;
  /** Label of the button that confirms, such as "End 3 sessions". */
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
export function Confirm({ onConfirm, children, typed, isBlocked = false, ...rest }: ConfirmProps): JSX.Element {
  const text = useSignal("");
  const inputId = useId();
  return (
    <FormDialog
      {...rest}
      onSubmit={onConfirm}
      isDanger
      isBlocked={isBlocked || (typed !== undefined && text.value !== typed)}
      focus={typed === undefined ? "cancel" : undefined}
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
    </FormDialog>
  );
}
