import type { WebhookInfo, WebhookRequest } from "@antechamber/client/protocol";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { FormDialog } from "../../ui/dialog.tsx";
import { Field } from "../../ui/field.tsx";

type SentType = NonNullable<WebhookRequest["types"]>[number];

const types: readonly (readonly [type: SentType, meaning: string])[] = [
  ["session.created", "a session is first stored"],
  ["session.associated", "somebody is recognized"],
  ["session.rotated", "a session gets a new id"],
  ["session.ended", "somebody signs out"],
  ["session.expired", "a session runs out"],
  ["customer.erased", "a customer is erased"],
];

export interface EndpointDialogProps {
  /** The endpoint to change; without one, a new one is added. */
  readonly endpoint?: WebhookInfo | undefined;
  /** Saves the endpoint. The dialog closes if that succeeds, and shows the reason if it fails. */
  readonly onSave: (request: WebhookRequest) => Promise<void>;
  readonly onClose: () => void;
}

/** A dialog with the members of an endpoint. */
export function EndpointDialog({ endpoint, onSave, onClose }: EndpointDialogProps): JSX.Element {
  const url = useSignal(endpoint?.url ?? "");
  const description = useSignal(endpoint?.description ?? "");
  const chosen = useSignal<readonly SentType[]>(endpoint?.types ?? []);
  const save = async () => {
    const isAll = chosen.value.length === 0 || chosen.value.length === types.length;
    await onSave({
      url: url.value.trim(),
      types: isAll ? null : chosen.value,
      description: description.value.trim() || null,
    });
  };
  return (
    <FormDialog
      title={endpoint ? "Edit the endpoint" : "Add an endpoint"}
      action={endpoint ? "Save" : "Add"}
      onSubmit={save}
      onClose={onClose}
    >
      <Field
        label="URL"
        type="url"
        value={url.value}
        isRequired
        isFirst
        placeholder="https://shop.example/webhooks"
        hint="https with a public address. The server’s setting webhookAllowedHosts allows others."
        onInput={(value) => {
          url.value = value;
        }}
      />
      <Field
        label="Description"
        value={description.value}
        onInput={(value) => {
          description.value = value;
        }}
      />
      <fieldset class="checks">
        <legend>Events (all if none is chosen)</legend>
        {types.map(([type, meaning]) => (
          <label key={type}>
            <input
              type="checkbox"
              checked={chosen.value.includes(type)}
              onChange={(event) => {
                const others = chosen.value.filter((each) => each !== type);
                chosen.value = event.currentTarget.checked ? [...others, type] : others;
              }}
            />
            <span>
              {type} <span class="quiet">{meaning}</span>
            </span>
          </label>
        ))}
      </fieldset>
    </FormDialog>
  );
}
