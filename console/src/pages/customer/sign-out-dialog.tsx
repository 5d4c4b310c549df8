import type { EndFilter } from "@antechamber/client/administration";
import type { SessionSummary } from "@antechamber/client/protocol";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { administration } from "../../api/api.ts";
import { useLoaded } from "../../api/loading.ts";
import { Confirm } from "../../ui/dialog.tsx";
import { Select } from "../../ui/field.tsx";
import { LoadedView } from "../../ui/states.tsx";
import { notify } from "../../ui/status.tsx";
import { relativeTime } from "../../ui/time.tsx";

export interface SignOutDialogProps {
  readonly id: string;
  /** The sessions of the page. The person may choose one that stays. */
  readonly sessions: readonly SessionSummary[];
  readonly onClose: () => void;
  readonly onDone: () => void;
}

/** Ends all live sessions of a customer, or all except one. It counts them first. */
export function SignOutDialog({ id, sessions, onClose, onDone }: SignOutDialogProps): JSX.Element {
  const kept = useSignal("");
  const filter: EndFilter = { customerId: id, ...(kept.value === "" ? {} : { except: kept.value }) };
  const count = useLoaded(`${id} ${kept.value}`, (signal) =>
    administration.endByFilter({ ...filter, dryRun: true }, { signal }),
  );
  const live = sessions.filter(({ status }) => status === "live");
  const words = (number: number) => `${number.toLocaleString("en")} ${number === 1 ? "session" : "sessions"}`;
  return (
    <Confirm
      title="Sign this customer out?"
      action={count.value === undefined ? "Count first…" : `End ${words(count.value)}`}
      isBlocked={!count.value}
      onClose={onClose}
      onConfirm={async () => {
        const ended = await administration.endByFilter(filter);
        notify(`${words(ended)} ended.`);
        onDone();
      }}
    >
      <Select
        label="Where"
        value={kept.value}
        options={[
          ["", "Everywhere"],
          ...live.map(
            ({ handle, label, lastActiveAt }) =>
              [
                handle,
                `Everywhere except ${label ?? "the session"} …${handle.slice(-8)}, used ${relativeTime(Date.parse(lastActiveAt))}`,
              ] as const,
          ),
        ]}
        onChange={(handle) => {
          kept.value = handle;
        }}
      />
      <LoadedView loading={count} what="Counting">
        {(number) => (
          <p role="status">
            <strong>{number === 0 ? "No live session would end." : `${words(number)} will end.`}</strong> The customer
            signs in again with the next request. Timelines stay.
          </p>
        )}
      </LoadedView>
    </Confirm>
  );
}
