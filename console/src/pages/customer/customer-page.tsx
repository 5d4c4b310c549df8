import type { SessionList } from "@antechamber/client/protocol";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { administration } from "../../api/api.ts";
import { type Loading, useLoaded } from "../../api/loading.ts";
import { viewer } from "../../api/viewer.ts";
import { useActions } from "../../keyboard/actions.ts";
import { remember } from "../../keyboard/recent.ts";
import { REFRESH_MS } from "../../polling.ts";
import { hrefOf, place } from "../../router.ts";
import { CopyButton } from "../../ui/copy.tsx";
import { Icon } from "../../ui/icon.tsx";
import { NotFound } from "../../ui/not-found.tsx";
import { PageHeader, Section } from "../../ui/page.tsx";
import { Pager, pagePosition } from "../../ui/pager.tsx";
import { LoadedView } from "../../ui/states.tsx";
import { EraseDialog } from "./erase-dialog.tsx";
import { ExportDialog } from "./export-dialog.tsx";
import { Lanes } from "./lanes.tsx";
import { MergedTimeline } from "./merged-timeline.tsx";
import { SignOutDialog } from "./sign-out-dialog.tsx";

/** Number of sessions on a page. */
const PAGE_SESSIONS = 25;

/** The page of one customer, whose id is in the address. */
export function CustomerPage(): JSX.Element {
  const id = place.value.query.get("id") ?? "";
  return <CustomerOf key={id} id={id} />;
}

function CustomerOf({ id }: { readonly id: string }): JSX.Element {
  const { cursor } = pagePosition();
  const list = useLoaded(
    `${id} ${cursor ?? ""}`,
    async (signal): Promise<SessionList> =>
      id === ""
        ? { sessions: [], next: null, total: 0 }
        : await administration.listPage({ customerId: id }, { cursor, limit: PAGE_SESSIONS, signal }),
    { everyMs: cursor === undefined ? REFRESH_MS : undefined },
  );
  return (
    <LoadedView loading={list} what="Loading the customer" heading="Customer">
      {({ sessions }) =>
        sessions.length === 0 && cursor === undefined ? (
          <NoCustomer id={id} />
        ) : (
          <Customer key={id} id={id} list={list} />
        )
      }
    </LoadedView>
  );
}

type Dialogs = "sign-out" | "export" | "erase";

function Customer({ id, list }: { readonly id: string; readonly list: Loading<SessionList> }): JSX.Element | null {
  const open = useSignal<Dialogs | undefined>(undefined);
  useEffect(() => remember(id, hrefOf("customer", { id })), [id]);
  const may = viewer.value?.may ?? [];
  const isAdministrator = may.includes("administer");
  const ask = (dialog: Dialogs) => () => {
    open.value = dialog;
  };
  const maySignOut = may.includes("end");
  useActions([
    ...(maySignOut
      ? [{ title: "Sign this customer out", key: "x", icon: "sign-out" as const, run: ask("sign-out") }]
      : []),
    ...(isAdministrator ? [{ title: "Export this customer", icon: "download" as const, run: ask("export") }] : []),
    ...(isAdministrator ? [{ title: "Erase this customer", icon: "trash" as const, run: ask("erase") }] : []),
  ]);
  const close = () => {
    open.value = undefined;
  };
  if (list.value === undefined) return null;
  const { sessions, next, total } = list.value;
  return (
    <>
      <PageHeader
        title={id}
        tabTitle={`${id}, customer`}
        lead={
          total === null
            ? "Customer"
            : `Customer with ${total.toLocaleString("en")}${total >= 10_000 ? " or more" : ""} ${total === 1 ? "session" : "sessions"}`
        }
        actions={
          <>
            <CopyButton text={location.href} what="link" hasLabel />
            {isAdministrator && (
              <button type="button" onClick={ask("export")}>
                <Icon name="download" /> Export
              </button>
            )}
            {maySignOut && (
              <button type="button" class="danger" onClick={ask("sign-out")}>
                <Icon name="sign-out" /> Sign out…
              </button>
            )}
            {isAdministrator && (
              <button type="button" class="danger" onClick={ask("erase")}>
                <Icon name="trash" /> Erase…
              </button>
            )}
          </>
        }
      />
      <Section title="Sessions" class="flush-end">
        <Lanes sessions={sessions} />
        <Pager
          next={next}
          summary={`${sessions.length} ${sessions.length === 1 ? "session" : "sessions"} on this page`}
        />
      </Section>
      <MergedTimeline sessions={sessions} />
      {open.value === "sign-out" && <SignOutDialog id={id} sessions={sessions} onClose={close} onDone={list.reload} />}
      {open.value === "export" && <ExportDialog id={id} onClose={close} />}
      {open.value === "erase" && <EraseDialog id={id} onClose={close} onDone={list.reload} />}
    </>
  );
}

function NoCustomer({ id }: { readonly id: string }): JSX.Element {
  return (
    <NotFound
      heading="Customer not found"
      icon="customer"
      title={id === "" ? "No customer" : "Nothing is stored about this customer"}
    >
      {id === "" ? (
        <p>The address of this page names no customer. Enter an id into the box at the top.</p>
      ) : (
        <p>
          No session has the customer <bdi class="id">{id}</bdi>. Customers are found by their whole id, with the same
          capital letters; sessions are removed some time after they have ended.
        </p>
      )}
    </NotFound>
  );
}
