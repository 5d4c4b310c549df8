import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { Icon } from "./icon.tsx";
import { announce, notifyFailure } from "./status.tsx";

/** Copies a text to the clipboard. Resolves with `false` if the browser does not permit it. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Pages without TLS have no clipboard, except on this machine.
    notifyFailure("The browser does not permit copying here. Select the text and copy it.");
    return false;
  }
}

export interface CopyButtonProps {
  readonly text: string;
  /** Name of the thing that is copied, such as "handle". */
  readonly what: string;
  /** Shows the words beside the icon. */
  readonly hasLabel?: boolean | undefined;
}

/** A button that copies a text and confirms it. */
export function CopyButton({ text, what, hasLabel = false }: CopyButtonProps): JSX.Element {
  const isCopied = useSignal(false);
  const copy = async () => {
    if (!(await copyText(text))) return;
    isCopied.value = true;
    announce(`Copied the ${what}`);
    setTimeout(() => {
      isCopied.value = false;
    }, 2000);
  };
  const label = `Copy ${what}`;
  return (
    <button
      type="button"
      class={hasLabel ? "" : "quiet icon-only small"}
      aria-label={hasLabel ? undefined : label}
      title={hasLabel ? undefined : label}
      onClick={() => void copy()}
    >
      <Icon name={isCopied.value ? "check" : "copy"} />
      {hasLabel && (isCopied.value ? "Copied" : label)}
    </button>
  );
}
