import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { administration } from "../../api/api.ts";
import { isAbort, messageOf } from "../../api/messages.ts";
import { Dialog } from "../../ui/dialog.tsx";
import { saveBlob } from "../../ui/download.ts";
import { Icon } from "../../ui/icon.tsx";
import { notify } from "../../ui/status.tsx";

/** Number of lines that are joined to one part of the file. The browser may keep the parts on the disk. */
const PART_LINES = 1000;

/** Saves everything about a customer as a file of JSON lines. */
export function ExportDialog({ id, onClose }: { readonly id: string; readonly onClose: () => void }): JSX.Element {
  const lines = useSignal(0);
  const isRunning = useSignal(false);
  const failure = useSignal<string | undefined>(undefined);
  const stop = useRef(new AbortController());
  useEffect(() => () => stop.current.abort(), []);
  const run = async () => {
    isRunning.value = true;
    failure.value = undefined;
    try {
      const file = await exportFile(id, stop.current.signal, (count) => {
        lines.value = count;
      });
      saveBlob(`customer-${id}.ndjson`, file);
      notify(`Exported ${lines.value.toLocaleString("en")} lines.`);
      onClose();
    } catch (error) {
      if (!isAbort(error)) failure.value = messageOf(error);
    } finally {
      isRunning.value = false;
    }
  };
  return (
    <Dialog title="Export this customer" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <p>
          A file with all sessions, timelines, stored responses and API keys of <bdi class="id">{id}</bdi>: a line of
          JSON each. It has personal data. Session ids are not in it.
        </p>
        <p role="status">{isRunning.value && `${lines.value.toLocaleString("en")} lines so far…`}</p>
        <p class="form-error" role="alert">
          {failure.value}
        </p>
        <div class="buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={isRunning.value} autofocus>
            <Icon name="download" /> Export
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** Reads the whole export. Rejects if it was cut off. */
async function exportFile(id: string, signal: AbortSignal, onCount: (lines: number) => void): Promise<Blob> {
  const parts: Blob[] = [];
  let lines: string[] = [];
  let count = 0;
  for await (const line of administration.exportCustomer(id, { signal })) {
    lines.push(`${JSON.stringify(line)}\n`);
    count += 1;
    if (lines.length < PART_LINES) continue;
    parts.push(new Blob(lines));
    lines = [];
    onCount(count);
  }
  onCount(count);
  return new Blob([...parts, ...lines], { type: "application/x-ndjson" });
}
