import type { CreatedApiKey, Role } from "@antechamber/client/protocol";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { administration } from "../../api/api.ts";
import { FormDialog } from "../../ui/dialog.tsx";
import { Field, Select } from "../../ui/field.tsx";

const DAY_MS = 24 * 60 * 60_000;

const roles: readonly (readonly [Role, string])[] = [
  ["service", "service: an application’s own server"],
  ["agent", "agent: a person in support"],
  ["reporter", "reporter: only reads"],
  ["administrator", "administrator: everything"],
  ["customer", "customer: one customer, or public pages"],
];

/** The field for the id to which keys of a role can be bound. */
const bindings: Partial<Record<Role, { readonly label: string; readonly hint: string }>> = {
  agent: { label: "Agent", hint: "The only agent for which the key acts. Without one, it asserts no agent." },
  customer: {
    label: "Customer",
    hint: "The only customer for which the key acts. Without one, it is a key for public pages.",
  },
};

const validities = [
  ["", "Until it is revoked"],
  ["30", "30 days"],
  ["90", "90 days"],
  ["365", "1 year"],
] as const;

export interface CreateDialogProps {
  readonly onClose: () => void;
  readonly onCreated: (made: CreatedApiKey) => void;
}

/** The dialog that creates an API key. */
export function CreateDialog({ onClose, onCreated }: CreateDialogProps): JSX.Element {
  const name = useSignal("");
  const role = useSignal<Role>("service");
  const boundTo = useSignal("");
  const days = useSignal("90");
  const binding = bindings[role.value];
  const create = async () => {
    const made = await administration.keys.create({
      role: role.value,
      name: name.value.trim() || null,
      customerId: role.value === "customer" ? boundTo.value || null : null,
      agentId: role.value === "agent" ? boundTo.value || null : null,
      expiresAt: days.value === "" ? null : new Date(Date.now() + Number(days.value) * DAY_MS).toISOString(),
    });
    onCreated(made);
  };
  return (
    <FormDialog title="Create an API key" action="Create the key" onSubmit={create} onClose={onClose}>
      <Field
        label="Name"
        isFirst
        value={name.value}
        placeholder="Shop server"
        hint="For this list and the audit trail. Do not use the id of a customer."
        onInput={(value) => {
          name.value = value;
        }}
      />
      <Select
        label="Role"
        value={role.value}
        options={roles}
        onChange={(value) => {
          role.value = value as Role;
          boundTo.value = "";
        }}
      />
      {binding && (
        <Field
          label={binding.label}
          value={boundTo.value}
          hint={binding.hint}
          onInput={(value) => {
            boundTo.value = value;
          }}
        />
      )}
      <Select
        label="Valid for"
        value={days.value}
        options={validities}
        onChange={(value) => {
          days.value = value;
        }}
      />
    </FormDialog>
  );
}
