import type { ApiKeyInfo } from "@antechamber/client/protocol";
import type { JSX } from "preact";
import { CopyButton } from "../../ui/copy.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Icon } from "../../ui/icon.tsx";

/** A new secret. */
export interface NewSecret {
  readonly key: string;
  readonly info: ApiKeyInfo;
}

/** Shows the secret of a new key, once. */
export function SecretDialog({
  secret: { key, info },
  onClose,
}: {
  readonly secret: NewSecret;
  readonly onClose: () => void;
}): JSX.Element {
  return (
    <Dialog title="Copy the key now" onClose={onClose}>
      <div class="stack">
        <p>
          This is the secret of <strong>{info.name ?? info.id}</strong>. It is shown only here, and cannot be read
          again.
        </p>
        <p class="new-key">
          <code>{key}</code>
        </p>
        <div class="buttons">
          <CopyButton text={key} what="key" hasLabel />
          <button type="button" class="primary" onClick={onClose}>
            <Icon name="check" /> I have stored it
          </button>
        </div>
      </div>
    </Dialog>
  );
}
