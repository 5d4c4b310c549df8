import type { JSX } from "preact";
import { administration } from "../../api/api.ts";
import { useLoaded } from "../../api/loading.ts";
import { Confirm } from "../../ui/dialog.tsx";
import { LoadedView } from "../../ui/states.tsx";
import { notify } from "../../ui/status.tsx";

export interface EraseDialogProps {
  readonly id: string;
  readonly onClose: () => void;
  readonly onDone: () => void;
}

/** Removes everything about a customer. It counts first, and the id must be typed. */
export function EraseDialog({ id, onClose, onDone }: EraseDialogProps): JSX.Element {
  const count = useLoaded(id, async (signal) => {
    const { total } = await administration.listPage({ customerId: id }, { limit: 1, signal });
    return total ?? 0;
  });
  const words = (number: number) => `${number.toLocaleString("en")} ${number === 1 ? "session" : "sessions"}`;
  return (
    <Confirm
      title="Erase this customer?"
      action={count.value === undefined ? "Count first…" : `Erase ${words(count.value)}`}
      typed={id}
      isBlocked={count.value === undefined}
      onClose={onClose}
      onConfirm={async () => {
        const { sessions, keys } = await administration.eraseCustomer(id);
        notify(`${words(sessions)} erased${keys > 0 ? `, and ${keys.toLocaleString("en")} API keys` : ""}.`);
        onDone();
      }}
    >
      <LoadedView loading={count} what="Counting">
        {(number) => (
          <p role="status">
            <strong>
              {words(number)}
              {number >= 10_000 ? " or more" : ""}
            </strong>
            , live or not, with their timelines and data, the customer’s events and the API keys bound to the customer
            are removed. Nobody can bring them back. Export first if they may be needed.
          </p>
        )}
      </LoadedView>
    </Confirm>
  );
}
