import type { RequestEntry } from "@antechamber/client/protocol";
import type { JSX } from "preact";
import { CopyButton } from "../ui/copy.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { Icon } from "../ui/icon.tsx";
import { Facts } from "../ui/page.tsx";
import { formatDuration, Time } from "../ui/time.tsx";
import type { Row } from "./entries.ts";
import { Status } from "./timeline-rows.tsx";
import { bandText, lifeText } from "./words.ts";

export interface EntryDialogProps {
  readonly row: Row;
  /** Address of a trace, with `{traceId}` in it; `null` without one. */
  readonly traceUrl: string | null;
  readonly onClose: () => void;
  /** Shows the entry before or after this one. */
  readonly onStep: (step: 1 | -1) => void;
}

/** The dialog with all details of an entry of a timeline. */
export function EntryDialog({ row, traceUrl, onClose, onStep }: EntryDialogProps): JSX.Element | null {
  if (row.kind !== "request" && row.kind !== "life") return null;
  const title = row.kind === "request" ? `${row.entry.method} ${row.entry.path}` : lifeText(row.entry);
  return (
    <Dialog title={title} class="entry" onClose={onClose}>
      {row.kind === "request" ? (
        <RequestFacts entry={row.entry} who={bandText(row.band)} traceUrl={traceUrl} />
      ) : (
        <Facts
          facts={[
            ["When", <Time key="at" at={row.entry.at} isAbsolute />],
            ["Identity after it", <bdi key="who">{bandText(row.band)}</bdi>],
          ]}
        />
      )}
      <div class="buttons">
        <button type="button" onClick={() => onStep(-1)}>
          <Icon name="previous" /> Earlier
        </button>
        <button type="button" onClick={() => onStep(1)}>
          Later <Icon name="next" />
        </button>
      </div>
    </Dialog>
  );
}

interface RequestFactsProps {
  readonly entry: RequestEntry;
  readonly who: string;
  readonly traceUrl: string | null;
}

function RequestFacts({ entry, who, traceUrl }: RequestFactsProps): JSX.Element {
  const { status, service, durationMs, startedAt, sequence, attributes } = entry;
  const traceId = traceIdOf(entry);
  const traceHref = traceId === undefined ? undefined : traceHrefOf(traceUrl, traceId);
  const others = Object.entries(attributes).filter(([name]) => name !== "traceId" || traceId === undefined);
  return (
    <>
      <Facts
        facts={[
          ["Status", <Status key="status" status={status} />],
          ["Took", durationMs === null ? null : formatDuration(durationMs)],
          ["Service", service],
          ["Started", <Time key="at" at={startedAt} isAbsolute />],
          ["Visitor", <bdi key="who">{who}</bdi>],
          ["Number", sequence.toLocaleString("en")],
        ]}
      />
      {traceId && (
        <p class="trace">
          <span class="label">Trace</span> <code>{traceId}</code> <CopyButton text={traceId} what="trace id" />
          {traceHref && (
            <a href={traceHref} target="_blank" rel="noreferrer">
              Open the trace <Icon name="external" label="in a new tab" />
            </a>
          )}
        </p>
      )}
      {others.length > 0 && (
        <>
          <h3>Attributes</h3>
          <dl class="attributes">
            {others.map(([name, value]) => (
              <div key={name}>
                <dt>
                  <bdi>{name}</bdi>
                </dt>
                <dd>
                  <bdi>{value}</bdi>
                </dd>
              </div>
            ))}
          </dl>
        </>
      )}
    </>
  );
}

/** Returns the id of the trace that a request belongs to (W3C Trace Context); `undefined` without one. */
function traceIdOf(entry: RequestEntry & { readonly traceId?: string | null }): string | undefined {
  const text = entry.traceId ?? entry.attributes["traceId"];
  return text && /^[\da-f]{32}$/.test(text) ? text : undefined;
}

/** Returns the address of a trace; `undefined` if none is configured, or if it is not a web address. */
function traceHrefOf(template: string | null, traceId: string): string | undefined {
  const href = template?.replaceAll("{traceId}", traceId);
  return href && /^https?:\/\//.test(href) ? href : undefined;
}
