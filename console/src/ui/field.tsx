import type { JSX } from "preact";
import { useId } from "preact/hooks";

export interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onInput: (value: string) => void;
  readonly type?: "text" | "url" | "password" | "number" | "datetime-local" | undefined;
  readonly hint?: string | undefined;
  readonly placeholder?: string | undefined;
  readonly isRequired?: boolean | undefined;
  /** Whether the field gets the focus when its dialog opens. */
  readonly isFirst?: boolean | undefined;
  readonly autocomplete?: "off" | "username" | "current-password" | undefined;
  /** A fault of the value. Screen readers read it with the field. */
  readonly error?: string | undefined;
}

/** A field for a text, with its label, a hint and its fault. */
export function Field(props: FieldProps): JSX.Element {
  const {
    label,
    value,
    onInput,
    type = "text",
    hint,
    placeholder,
    isRequired,
    isFirst,
    autocomplete = "off",
    error,
  } = props;
  const id = useId();
  const notes = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        // Preact has a type of attributes for each `type` of an input, and none for several.
        {...{ type: type as "text" }}
        value={value}
        placeholder={placeholder}
        required={isRequired}
        autofocus={isFirst}
        autocomplete={autocomplete}
        spellcheck={false}
        aria-describedby={notes || undefined}
        aria-invalid={error ? "true" : undefined}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
      {hint && (
        <p id={`${id}-hint`} class="hint">
          {hint}
        </p>
      )}
      {error && (
        <p id={`${id}-error`} class="form-error">
          {error}
        </p>
      )}
    </div>
  );
}

export interface SelectProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly (readonly [value: string, text: string])[];
  readonly onChange: (value: string) => void;
}

/** A list of choices with its label. */
export function Select({ label, value, options, onChange }: SelectProps): JSX.Element {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {options.map(([each, text]) => (
          <option key={each} value={each}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}
