import type { ApiKeyInfo, CreatedApiKey } from "@antechamber/client/protocol";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { administration } from "../../api/api.ts";
import { useLoaded } from "../../api/loading.ts";
import { Confirm } from "../../ui/dialog.tsx";
import { Select } from "../../ui/field.tsx";
import { notify, notifyFailure } from "../../ui/status.tsx";

const graces = [
  ["0", "Revoke it at once"],
  ["3600", "1 hour"],
  ["86400", "1 day"],
  ["604800", "7 days"],
] as const;

export interface RotateDialogProps {
  readonly apiKey: ApiKeyInfo;
  readonly onClose: () => void;
  readonly onRotated: (made: CreatedApiKey) => void;
}

/** The dialog that replaces a key by a new one. */
export function RotateDialog({ apiKey, onClose, onRotated }: RotateDialogProps): JSX.Element {
  const grace = useSignal("86400");
  return (
    <Confirm
      title={`Rotate ${apiKey.name ?? apiKey.id}`}
      action="Rotate the key"
      onClose={onClose}
      onConfirm={async () => {
        const rotation = { graceSeconds: Number(grace.value) };
        onRotated(await administration.keys.rotate(apiKey.id, rotation));
      }}
    >
      <div class="stack">
        <p>A new key with the same name, role and validity is created. The old one stays valid for a while.</p>
        <Select
          label="Time to change to the new key"
          value={grace.value}
          options={graces}
          onChange={(value) => {
            grace.value = value;
          }}
        />
      </div>
    </Confirm>
  );
}

/** The dialog that revokes a key. It warns before the last administrator's key is revoked. */
export function RevokeDialog({
  apiKey,
  onClose,
}: {
  readonly apiKey: ApiKeyInfo;
  readonly onClose: () => void;
}): JSX.Element {
  const isAdministrator = apiKey.role === "administrator";
  const others = useLoaded("administrators", async (signal) => {
    if (!isAdministrator) return 1;
    let count = 0;
    for await (const { role, id } of administration.keys.list({ status: "valid", limit: 1000, signal })) {
      if (role === "administrator" && id !== apiKey.id) count++;
    }
    return count;
  });
  return (
    <Confirm
      title={`Revoke ${apiKey.name ?? apiKey.id}`}
      action="Revoke the key"
      isBlocked={others.value === undefined && others.error === undefined}
      onClose={onClose}
      onConfirm={async () => {
        const { warning } = await administration.keys.revoke(apiKey.id);
        if (warning === null) notify(`The key ${apiKey.name ?? apiKey.id} is revoked.`);
        else notifyFailure(warning);
      }}
    >
      <p>It is refused from now on, everywhere. This cannot be undone. People who signed in with it are signed out.</p>
      {others.value === 0 && (
        <p class="form-error" role="alert">
          It is the last valid key of an administrator. Afterwards only the command line can create one.
        </p>
      )}
    </Confirm>
  );
}
