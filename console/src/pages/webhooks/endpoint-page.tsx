import type { WebhookInfo } from "@antechamber/client/protocol";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { administration } from "../../api/api.ts";
import { type Loading, useLoaded } from "../../api/loading.ts";
import { messageOf } from "../../api/messages.ts";
import { useActions } from "../../keyboard/actions.ts";
import { REFRESH_MS } from "../../polling.ts";
import { hrefOf, navigate } from "../../router.ts";
import { Confirm } from "../../ui/dialog.tsx";
import { Icon } from "../../ui/icon.tsx";
import { Facts, PageHeader, Section } from "../../ui/page.tsx";
import { SecretDialog } from "../../ui/secret-dialog.tsx";
import { LoadedView } from "../../ui/states.tsx";
import { notify, notifyFailure } from "../../ui/status.tsx";
import { Time } from "../../ui/time.tsx";
import { Deliveries } from "./deliveries.tsx";
import { EndpointDialog } from "./endpoint-dialog.tsx";
import { Backlog, EndpointState } from "./endpoint-state.tsx";

/** The page of one endpoint with its deliveries. */
export function EndpointPage({ id }: { readonly id: string }): JSX.Element {
  const endpoint = useLoaded(id, (signal) => administration.webhooks.get(id, { signal }), { everyMs: REFRESH_MS });
  return (
    <>
      <nav aria-label="Path">
        <a href={hrefOf("webhooks")}>Webhooks</a>
      </nav>
      <LoadedView loading={endpoint} what="Loading the endpoint" heading="Webhook">
        {(found) => <EndpointOf endpoint={found} loading={endpoint} />}
      </LoadedView>
    </>
  );
}

type Open = "edit" | "rotate" | "remove";

function EndpointOf({
  endpoint,
  loading,
}: {
  readonly endpoint: WebhookInfo;
  readonly loading: Loading<WebhookInfo>;
}): JSX.Element {
  const { id, url, description, isEnabled, types, secrets } = endpoint;
  const { webhooks } = administration;
  const open = useSignal<Open | undefined>(undefined);
  const secret = useSignal<string | undefined>(undefined);
  const tests = useSignal(0);
  const close = () => {
    open.value = undefined;
  };
  const attempt = async (what: () => Promise<unknown>, done: string) => {
    try {
      await what();
      notify(done);
      loading.reload();
    } catch (error) {
      notifyFailure(messageOf(error));
    }
  };
  const test = () =>
    void attempt(async () => {
      await webhooks.test(id);
      tests.value += 1;
    }, "A test event is on its way. Its delivery shows the result.");
  const toggle = () =>
    void attempt(
      () => webhooks.update(id, { isEnabled: !isEnabled }),
      isEnabled ? "Disabled: nothing is sent any more." : "Enabled: events from now on are sent.",
    );
  const ask = (dialog: Open) => () => {
    open.value = dialog;
  };
  useActions([
    ...(isEnabled ? [{ title: "Send a test event", key: "x", icon: "send" as const, run: test }] : []),
    { title: "Edit the endpoint", key: "e", run: ask("edit") },
    { title: isEnabled ? "Disable the endpoint" : "Enable the endpoint", run: toggle },
    { title: "Change the secret", icon: "key", run: ask("rotate") },
    { title: "Remove the endpoint", icon: "trash", run: ask("remove") },
  ]);
  return (
    <>
      <PageHeader
        title={url}
        tabTitle={`${new URL(url).host}, webhook`}
        lead={description ?? undefined}
        actions={
          <>
            <button type="button" class="primary" disabled={!isEnabled} onClick={test}>
              <Icon name="send" /> Test
            </button>
            <button type="button" onClick={ask("edit")}>
              Edit
            </button>
            <button type="button" onClick={toggle}>
              {isEnabled ? "Disable" : "Enable"}
            </button>
            <button type="button" onClick={ask("rotate")}>
              <Icon name="key" /> Change the secret
            </button>
            <button type="button" class="danger" onClick={ask("remove")}>
              <Icon name="trash" /> Remove
            </button>
          </>
        }
      />
      <Section title="Endpoint">
        <Facts
          facts={[
            ["State", <EndpointState key="state" endpoint={endpoint} />],
            ["Events", types === null ? "all" : types.join(", ")],
            ["Waiting", <Backlog key="backlog" endpoint={endpoint} />],
            ["Secret created", <Time key="secret" at={secrets[0]?.createdAt ?? endpoint.createdAt} />],
            ["Old secret used until", secrets[1]?.expiresAt && <Time key="old" at={secrets[1].expiresAt} />],
            ["Id", <code key="id">{id}</code>],
          ]}
        />
      </Section>
      <Deliveries endpoint={endpoint} refresh={tests.value} />
      {open.value === "edit" && (
        <EndpointDialog
          endpoint={endpoint}
          onClose={close}
          onSave={async (request) => {
            await webhooks.update(id, request);
            notify("The endpoint is changed.");
            loading.reload();
          }}
        />
      )}
      {open.value === "rotate" && (
        <Confirm
          title="Change the secret"
          action="Change the secret"
          onClose={close}
          onConfirm={async () => {
            secret.value = (await webhooks.rotateSecret(id)).secret;
            loading.reload();
          }}
        >
          <p>
            Messages are signed with the new secret at once, and for a day with the old one too, so that the receiver
            can change in between.
          </p>
        </Confirm>
      )}
      {open.value === "remove" && (
        <Confirm
          title="Remove the endpoint"
          action="Remove"
          onClose={close}
          onConfirm={async () => {
            await webhooks.remove(id);
            notify("The endpoint is removed.");
            navigate(hrefOf("webhooks"), { replace: true });
          }}
        >
          <p>
            Its deliveries are removed too, also those that wait. This cannot be undone. To stop it for a while, disable
            it.
          </p>
        </Confirm>
      )}
      {secret.value !== undefined && open.value === undefined && (
        <SecretDialog
          title="The secret is changed"
          secret={secret.value}
          what="secret"
          onClose={() => {
            secret.value = undefined;
          }}
        >
          The receiver needs this secret to check signatures.
        </SecretDialog>
      )}
    </>
  );
}
