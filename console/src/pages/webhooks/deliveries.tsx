import type { WebhookDelivery, WebhookInfo } from "@antechamber/client/protocol";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { administration } from "../../api/api.ts";
import { useLoaded } from "../../api/loading.ts";
import { messageOf } from "../../api/messages.ts";
import { place, setQuery } from "../../router.ts";
import { Badge, type Tone } from "../../ui/badge.tsx";
import { Select } from "../../ui/field.tsx";
import { Handle } from "../../ui/handle.tsx";
import { Icon } from "../../ui/icon.tsx";
import { Pager, pagePosition } from "../../ui/pager.tsx";
import { EmptyState, LoadedView } from "../../ui/states.tsx";
import { notify, notifyFailure } from "../../ui/status.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { formatDuration, Time } from "../../ui/time.tsx";

/** Interval (ms) at which the newest deliveries are read. */
const REFRESH_MS = 3000;
const PAGE = 50;

type State = WebhookDelivery["state"];

const tones: Readonly<Record<State, Tone>> = { pending: "notice", delivered: "good", failed: "bad" };

const states: readonly (readonly [value: string, text: string])[] = [
  ["", "All"],
  ["pending", "Waiting"],
  ["delivered", "Delivered"],
  ["failed", "Failed"],
];

const errors: Readonly<Record<string, string>> = {
  timeout: "no response within 15 seconds",
  "unknown-host": "the host has no address",
  "address-not-allowed": "the address is not allowed (webhookAllowedHosts)",
  tls: "no secure connection: check the certificate",
  connection: "no connection, or closed too early",
  "invalid-response": "the response is not HTTP: check the port",
  overdue: "not tried: the endpoint did not work for three days",
};

/** Returns the result of an attempt in a few words. */
function resultOf({ status, error }: NonNullable<WebhookDelivery["lastAttempt"]>): string {
  if (status !== null) return `HTTP ${status}`;
  return error === null ? "no response" : (errors[error] ?? error);
}

export interface DeliveriesProps {
  readonly endpoint: WebhookInfo;
  /** Number that changes when there is a new delivery to show. */
  readonly refresh: number;
}

/** The deliveries of an endpoint, newest first. */
export function Deliveries({ endpoint, refresh }: DeliveriesProps): JSX.Element {
  const { id } = endpoint;
  const { query } = place.value;
  const { cursor } = pagePosition();
  const named = query.get("state");
  const state = named === "pending" || named === "delivered" || named === "failed" ? named : undefined;
  const list = useLoaded(
    `${id} ${state ?? ""} ${cursor ?? ""}`,
    (signal) => administration.webhooks.deliveriesPage(id, { state, cursor, limit: PAGE, signal }),
    { everyMs: cursor === undefined ? REFRESH_MS : undefined },
  );
  useEffect(() => {
    if (refresh > 0) list.reload();
  }, [refresh]);
  return (
    <section class="card flush" aria-labelledby="deliveries-title">
      <div class="card-tools deliveries-tools">
        <h2 id="deliveries-title">Deliveries</h2>
        <Select
          label="State"
          value={state ?? ""}
          options={states}
          onChange={(value) => setQuery({ state: value, cursor: undefined, page: undefined })}
        />
      </div>
      <LoadedView loading={list} what="Loading the deliveries">
        {({ deliveries, next }) =>
          deliveries.length === 0 && cursor === undefined ? (
            <EmptyState icon="send" title={state ? "No delivery in this state" : "Nothing was sent yet"}>
              <p>Send a test event to see whether the receiver works.</p>
            </EmptyState>
          ) : (
            <>
              <Table
                caption="Deliveries, newest first"
                columns={columnsOf(endpoint, list.reload)}
                rows={deliveries}
                keyOf={(delivery) => delivery.id}
              />
              <Pager next={next} summary={`${deliveries.length} on this page`} />
            </>
          )
        }
      </LoadedView>
    </section>
  );
}

function columnsOf(endpoint: WebhookInfo, reload: () => void): readonly Column<WebhookDelivery>[] {
  return [
    { id: "type", title: "Event", isName: true, cell: ({ type }) => type },
    {
      id: "state",
      title: "State",
      cell: ({ state }) => <Badge tone={tones[state]}>{state === "pending" ? "waiting" : state}</Badge>,
    },
    {
      id: "handle",
      title: "Session",
      cell: ({ handle }) => (handle ? <Handle handle={handle} /> : <span class="quiet">–</span>),
    },
    { id: "queuedAt", title: "Queued", cell: ({ queuedAt }) => <Time at={queuedAt} /> },
    { id: "attempts", title: "Attempts", isNumber: true, cell: ({ attempts }) => attempts },
    { id: "result", title: "Last result", cell: (delivery) => <LastResult delivery={delivery} /> },
    {
      id: "again",
      title: "Again",
      cell: (delivery) => <SendAgain endpoint={endpoint} delivery={delivery} onSent={reload} />,
    },
  ];
}

function LastResult({ delivery }: { readonly delivery: WebhookDelivery }): JSX.Element {
  const { lastAttempt, nextAttemptAt, state } = delivery;
  return (
    <div>
      {lastAttempt ? (
        <>
          {resultOf(lastAttempt)}{" "}
          <span class="quiet">
            in {formatDuration(lastAttempt.durationMs)}, <Time at={lastAttempt.at} />
          </span>
        </>
      ) : (
        <span class="quiet">not tried yet</span>
      )}
      {state === "pending" && (
        <p class="quiet">
          {nextAttemptAt === null ? (
            "waits for an earlier event of its session"
          ) : (
            <>
              next attempt <Time at={nextAttemptAt} />
            </>
          )}
        </p>
      )}
    </div>
  );
}

interface SendAgainProps {
  readonly endpoint: WebhookInfo;
  readonly delivery: WebhookDelivery;
  readonly onSent: () => void;
}

function SendAgain({ endpoint, delivery, onSent }: SendAgainProps): JSX.Element {
  const isBusy = useSignal(false);
  const send = async () => {
    if (isBusy.value) return;
    isBusy.value = true;
    try {
      await administration.webhooks.redeliver(endpoint.id, delivery.id);
      notify("The event is sent again.");
      onSent();
    } catch (error) {
      notifyFailure(messageOf(error));
    } finally {
      isBusy.value = false;
    }
  };
  return (
    <button
      type="button"
      class="small"
      disabled={!endpoint.isEnabled}
      // Not disabled meanwhile: it would lose the focus.
      aria-disabled={isBusy.value}
      aria-label={`Send again: ${delivery.type}, delivery ${delivery.id}`}
      onClick={() => void send()}
    >
      <Icon name="refresh" /> Send again
    </button>
  );
}
