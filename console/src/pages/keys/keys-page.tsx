import type { ApiKeyInfo, CreatedApiKey } from "@antechamber/client/protocol";
import { type Signal, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { administration } from "../../api/api.ts";
import { useLoaded } from "../../api/loading.ts";
import { useActions } from "../../keyboard/actions.ts";
import { place, setQuery } from "../../router.ts";
import { Badge, type Tone } from "../../ui/badge.tsx";
import { Select } from "../../ui/field.tsx";
import { Icon } from "../../ui/icon.tsx";
import { PageHeader } from "../../ui/page.tsx";
import { Pager, pagePosition } from "../../ui/pager.tsx";
import { SecretDialog } from "../../ui/secret-dialog.tsx";
import { EmptyState, LoadedView } from "../../ui/states.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Time } from "../../ui/time.tsx";
import { CreateDialog } from "./create-dialog.tsx";
import { RevokeDialog, RotateDialog } from "./key-dialogs.tsx";

const PAGE_SIZE = 50;

/** The dialog that is open. */
type Open = "create" | { readonly action: "rotate" | "revoke"; readonly key: ApiKeyInfo } | undefined;

/** The page of the API keys: creates, rotates and revokes them. */
export function KeysPage(): JSX.Element {
  const { query } = place.value;
  const { cursor } = pagePosition();
  const status = statusOf(query.get("status"));
  const open = useSignal<Open>(undefined);
  const made = useSignal<CreatedApiKey | undefined>(undefined);
  const keys = useLoaded(
    `${status} ${cursor}`,
    async (signal) => await administration.keys.page({ status, cursor, limit: PAGE_SIZE, signal }),
  );
  const close = () => {
    open.value = undefined;
    keys.reload();
  };
  const showSecret = (key: CreatedApiKey) => {
    made.value = key;
  };
  const create = () => {
    open.value = "create";
  };
  useActions([{ title: "Create a key", key: "a", icon: "key", run: create }]);
  return (
    <>
      <PageHeader
        title="API keys"
        lead="The credentials of your programs, agents and administrators. The server stores only their hashes."
        actions={
          <button type="button" class="primary" onClick={create}>
            <Icon name="key" /> Create a key
          </button>
        }
      />
      <div class="filters">
        <Select
          label="Status"
          value={status ?? ""}
          options={[
            ["", "All keys"],
            ["valid", "Valid"],
            ["expired", "Expired"],
            ["revoked", "Revoked"],
          ]}
          onChange={(value) => setQuery({ status: value, cursor: undefined, page: undefined })}
        />
      </div>
      <LoadedView loading={keys} what="Loading keys">
        {({ keys: rows, next, total, areUsed }) => (
          <>
            {!areUsed && (
              <p class="remark">
                <Icon name="info" /> The service does not ask for keys in its present mode: callers need them only with
                the setting auth = key.
              </p>
            )}
            {rows.length === 0 ? (
              <EmptyState icon="key" title={status === undefined ? "There are no keys yet" : `No key is ${status}`}>
                <p>A key lets one program or person call the service, with one role.</p>
              </EmptyState>
            ) : (
              <section class="card flush" aria-label="API keys">
                <Table
                  caption="API keys, oldest first"
                  columns={columnsOf(open)}
                  rows={rows}
                  keyOf={({ id }) => id}
                  rowClass={({ status: each }) => (each === "valid" ? "" : "over")}
                />
                <Pager next={next} summary={total === 1 ? "1 key" : `${total} keys`} />
              </section>
            )}
          </>
        )}
      </LoadedView>
      {open.value === "create" && <CreateDialog onClose={close} onCreated={showSecret} />}
      {typeof open.value === "object" && open.value.action === "rotate" && (
        <RotateDialog apiKey={open.value.key} onClose={close} onRotated={showSecret} />
      )}
      {typeof open.value === "object" && open.value.action === "revoke" && (
        <RevokeDialog apiKey={open.value.key} onClose={close} />
      )}
      {made.value !== undefined && open.value === undefined && (
        <SecretDialog
          title="Copy the key now"
          secret={made.value.key}
          what="key"
          onClose={() => {
            made.value = undefined;
          }}
        >
          This is the secret of <strong>{made.value.name ?? made.value.id}</strong>.
        </SecretDialog>
      )}
    </>
  );
}

function statusOf(text: string | null): ApiKeyInfo["status"] | undefined {
  return text === "valid" || text === "expired" || text === "revoked" ? text : undefined;
}

const tones: Readonly<Record<ApiKeyInfo["status"], Tone>> = { valid: "good", expired: "neutral", revoked: "bad" };

function columnsOf(open: Signal<Open>): readonly Column<ApiKeyInfo>[] {
  return [
    {
      id: "name",
      title: "Name",
      isName: true,
      cell: ({ name, id }) => (
        <span class="stacked">
          <bdi class="strong">{name ?? "Without a name"}</bdi>
          <code class="quiet">{id}</code>
        </span>
      ),
    },
    { id: "role", title: "Role", cell: ({ role }) => role },
    { id: "for", title: "Only for", cell: ({ customerId, agentId }) => <bdi>{customerId ?? agentId ?? "–"}</bdi> },
    { id: "status", title: "Status", cell: ({ status }) => <Badge tone={tones[status]}>{status}</Badge> },
    { id: "created", title: "Created", cell: ({ createdAt }) => <Time at={createdAt} /> },
    { id: "used", title: "Last used", cell: ({ lastUsedAt }) => (lastUsedAt ? <Time at={lastUsedAt} /> : "never") },
    {
      id: "ends",
      title: "Ends",
      cell: ({ revokedAt, expiresAt }) => {
        const at = revokedAt ?? expiresAt;
        return at === null ? "–" : <Time at={at} />;
      },
    },
    {
      id: "actions",
      title: "Actions",
      cell: (key) => key.status === "valid" && <Actions apiKey={key} open={open} />,
    },
  ];
}

function Actions({ apiKey, open }: { readonly apiKey: ApiKeyInfo; readonly open: Signal<Open> }): JSX.Element {
  const name = apiKey.name ?? apiKey.id;
  const button = (action: "rotate" | "revoke", text: string) => (
    <button
      type="button"
      class="small"
      aria-label={`${text} ${name}`}
      onClick={() => {
        open.value = { action, key: apiKey };
      }}
    >
      {text}
    </button>
  );
  return (
    <span class="buttons">
      {apiKey.successorId === null && button("rotate", "Rotate")}
      {button("revoke", "Revoke")}
    </span>
  );
}
