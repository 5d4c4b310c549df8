import type { ComponentChildren, JSX } from "preact";
import { CopyButton } from "./copy.tsx";
import { Dialog } from "./dialog.tsx";
import { Icon } from "./icon.tsx";

export interface SecretDialogProps {
  readonly title: string;
  readonly secret: string;
  /** What the secret is, for the label of the button that copies it. */
  readonly what: "key" | "secret";
  /** Explanation of whose secret it is. */
  readonly children: ComponentChildren;
  readonly onClose: () => void;
}

/** Shows a new secret, once. A click beside the dialog does not close it: the secret would be lost. */
export function SecretDialog({ title, secret, what, children, onClose }: SecretDialogProps): JSX.Element {
  return (
    <Dialog title={title} onClose={onClose} isSticky>
      <div class="stack">
        <p>{children} It is shown only now, and cannot be read again.</p>
        <p class="secret">
          <code>{secret}</code>
        </p>
        <div class="buttons">
          <CopyButton text={secret} what={what} hasLabel />
          <button type="button" class="primary" onClick={onClose}>
            <Icon name="check" /> I have stored it
          </button>
        </div>
      </div>
    </Dialog>
  );
}
