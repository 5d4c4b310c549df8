import type { WebhookInfo } from "@antechamber/client/protocol";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { administration } from "../../api/api.ts";
import { useLoaded } from "../../api/loading.ts";
import { useActions } from "../../keyboard/actions.ts";
import { REFRESH_MS } from "../../polling.ts";
import { hrefOf, navigate, place } from "../../router.ts";
import { Icon } from "../../ui/icon.tsx";
import { PageHeader } from "../../ui/page.tsx";
import { SecretDialog } from "../../ui/secret-dialog.tsx";
import { EmptyState, LoadedView } from "../../ui/states.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Time } from "../../ui/time.tsx";
import { EndpointDialog } from "./endpoint-dialog.tsx";
import { EndpointPage } from "./endpoint-page.tsx";
import { Backlog, EndpointState } from "./endpoint-state.tsx";

/** The page of the endpoints of webhooks, or of the one that the address names. */
export function WebhooksPage(): JSX.Element {
  const id = place.value.query.get("id");
  return id ? <EndpointPage key={id} id={id} /> : <Endpoints />;
}

const columns: readonly Column<WebhookInfo>[] = [
  {
    id: "url",
    title: "Endpoint",
    isName: true,
    cell: ({ id, url, description }) => (
      <div>
        <a href={hrefOf("webhooks", { id })}>
          <bdi class="id">{url}</bdi>
        </a>
        {description && <p class="quiet">{description}</p>}
      </div>
    ),
  },
  { id: "state", title: "State", cell: (endpoint) => <EndpointState endpoint={endpoint} /> },
  {
    id: "types",
    title: "Events",
    cell: ({ types }) => (types === null ? "all" : types.map((type) => type.replace("session.", "")).join(", ")),
  },
  { id: "pending", title: "Waiting", cell: (endpoint) => <Backlog endpoint={endpoint} /> },
  { id: "createdAt", title: "Created", cell: ({ createdAt }) => <Time at={createdAt} /> },
];

function Endpoints(): JSX.Element {
  const endpoints = useLoaded("webhooks", (signal) => administration.webhooks.list({ signal }), {
    everyMs: REFRESH_MS,
  });
  const isAdding = useSignal(false);
  const created = useSignal<{ readonly id: string; readonly secret: string } | undefined>(undefined);
  const add = () => {
    isAdding.value = true;
  };
  useActions([{ title: "Add an endpoint", key: "a", icon: "plus", run: add }]);
  return (
    <>
      <PageHeader
        title="Webhooks"
        lead="Where events are sent, signed by the rules of Standard Webhooks."
        actions={
          <button type="button" class="primary" onClick={add}>
            <Icon name="plus" /> Add an endpoint
          </button>
        }
      />
      <LoadedView loading={endpoints} what="Loading the endpoints">
        {(found) =>
          found.length === 0 ? (
            <EmptyState icon="webhook" title="No endpoint yet">
              <p>Add the address of a system that shall know when sessions are created, end or expire.</p>
            </EmptyState>
          ) : (
            <section class="card flush" aria-label="Endpoints">
              <Table caption="Endpoints, oldest first" columns={columns} rows={found} keyOf={({ id }) => id} />
            </section>
          )
        }
      </LoadedView>
      {isAdding.value && (
        <EndpointDialog
          onClose={() => {
            isAdding.value = false;
          }}
          onSave={async (request) => {
            created.value = await administration.webhooks.create(request);
            endpoints.reload();
          }}
        />
      )}
      {created.value && !isAdding.value && (
        <SecretDialog
          title="The endpoint is added"
          secret={created.value.secret}
          what="secret"
          onClose={() => {
            const id = created.value?.id;
            created.value = undefined;
            if (id) navigate(hrefOf("webhooks", { id }));
          }}
        >
          The receiver needs this secret to check signatures.
        </SecretDialog>
      )}
    </>
  );
}
