import type { RequestEntry } from "@antechamber/client/protocol";
import type { JSX } from "preact";
import { timeForm } from "../preferences.ts";
import { Icon } from "../ui/icon.tsx";
import { formatDuration } from "../ui/time.tsx";
import { isError, type Row, SLOW_MS, timeOf } from "./entries.ts";
import { bandText, lifeText } from "./words.ts";

const clockFormat = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  hourCycle: "h23",
});

/** Returns the height of a row in rem. */
export function heightOfRow({ kind }: Row, isNarrow: boolean): number {
  if (kind === "band") return 2.75;
  if (kind === "gap") return 2;
  return isNarrow ? 3.5 : 2.125;
}

export interface TimelineRowProps {
  readonly row: Row;
  /** Start of the session in Unix ms. */
  readonly startedAt: number;
  readonly isCurrent: boolean;
  readonly onOpen: () => void;
}

/** A line of a timeline. */
export function TimelineRow({ row, startedAt, isCurrent, onOpen }: TimelineRowProps): JSX.Element {
  const tone = row.band.isRecognized ? "tl-known" : "tl-anonymous";
  if (row.kind === "band") {
    return (
      <h3 class={`tl-band ${tone}`}>
        <Icon name={row.band.isRecognized ? "customer" : "help"} />
        <bdi>{bandText(row.band)}</bdi>
      </h3>
    );
  }
  if (row.kind === "gap") return <p class={`tl-gap ${tone}`}>{formatDuration(row.ms)} without requests</p>;
  const button = { type: "button" as const, tabIndex: isCurrent ? 0 : -1, onClick: onOpen };
  const time = <Clock at={timeOf(row.entry)} startedAt={startedAt} />;
  if (row.kind === "life") {
    return (
      <button {...button} class={`tl-row tl-life ${tone} ${row.entry.type}`}>
        {time}
        <span class="tl-what">
          <bdi>{lifeText(row.entry)}</bdi>
        </span>
      </button>
    );
  }
  const { entry, bar } = row;
  return (
    <button {...button} class={`tl-row tl-request ${tone}${isError(entry) ? " error" : ""}`}>
      {time}
      <Status status={entry.status} />
      <span class="tl-what">
        <b>{entry.method}</b> <bdi>{entry.path}</bdi>
      </span>
      <span class="tl-service">{entry.service}</span>
      <span class="tl-bar" aria-hidden="true">
        {entry.durationMs !== null && (
          <span
            class={entry.durationMs >= SLOW_MS ? "slow" : ""}
            style={{ left: `${bar.left * 100}%`, width: `max(2px, ${bar.width * 100}%)` }}
          />
        )}
      </span>
      <span class="tl-duration">{entry.durationMs !== null && formatDuration(entry.durationMs)}</span>
    </button>
  );
}

function Clock({ at, startedAt }: { readonly at: number; readonly startedAt: number }): JSX.Element {
  const isRelative = timeForm.value === "relative";
  return (
    <time class="tl-time" dateTime={new Date(at).toISOString()}>
      {isRelative ? `+${formatOffset(Math.max(0, at - startedAt))}` : clockFormat.format(at)}
    </time>
  );
}

/** Formats a distance in milliseconds as a stopwatch does: "0:04.120", "24:10.3", "3:24:10". */
function formatOffset(ms: number): string {
  const twoDigits = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor(ms / 60_000) % 60;
  const seconds = twoDigits((ms / 1000) % 60);
  if (hours > 0) return `${hours}:${twoDigits(minutes)}:${seconds}`;
  return `${minutes}:${seconds}.${String(Math.floor(ms % 1000)).padStart(3, "0")}`;
}

/** The status of a request, with a shape for failures. */
export function Status({ status }: Pick<RequestEntry, "status">): JSX.Element {
  if (status === null) return <span class="tl-status">–</span>;
  const kind = status >= 500 ? "bad" : status >= 400 ? "warning" : "";
  return (
    <span class={`tl-status ${kind}`}>
      {kind && <Icon name="alert" label={status >= 500 ? "Server error" : "Refused"} />}
      {status}
    </span>
  );
}
