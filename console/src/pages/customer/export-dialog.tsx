import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { administration } from "../../api/api.ts";
import { FormDialog } from "../../ui/dialog.tsx";
import { saveBlob } from "../../ui/download.ts";
import { Icon } from "../../ui/icon.tsx";
import { notify } from "../../ui/status.tsx";

/** Number of lines that are joined to one part of the file. The browser may keep the parts on the disk. */
const PART_LINES = 1000;

/** Saves everything about a customer as a file of JSON lines. */
export function ExportDialog({ id, onClose }: { readonly id: string; readonly onClose: () => void }): JSX.Element {
  const lines = useSignal(0);
  const stop = useRef(new AbortController());
  useEffect(() => () => stop.current.abort(), []);
  const run = async () => {
    const file = await exportFile(id, stop.current.signal, (count) => {
      lines.value = count;
    });
    saveBlob(`customer-${id}.ndjson`, file);
    notify(`Exported ${lines.value.toLocaleString("en")} lines.`);
  };
  return (
    <FormDialog
      title="Export this customer"
      action={
        <>
          <Icon name="download" /> Export
        </>
      }
      focus="action"
      onSubmit={run}
      onClose={onClose}
    >
      <p>
        A file with all sessions, timelines, stored responses and API keys of <bdi class="id">{id}</bdi>: a line of JSON
        each. It has personal data. Session ids are not in it.
      </p>
      <p role="status">{lines.value > 0 && `${lines.value.toLocaleString("en")} lines so far…`}</p>
    </FormDialog>
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
