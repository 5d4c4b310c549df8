import { ProblemError } from "@antechamber/client/administration";
import type { SessionSummary } from "@antechamber/client/protocol";
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { administration, sessions } from "../../api/api.ts";
import { useLoaded } from "../../api/loading.ts";
import { viewer } from "../../api/viewer.ts";
import { useActions } from "../../keyboard/actions.ts";
import { remember } from "../../keyboard/recent.ts";
import { REFRESH_MS } from "../../polling.ts";
import { hrefOf, place, setQuery } from "../../router.ts";
import { useTimeline } from "../../timeline/load.ts";
import { Timeline } from "../../timeline/timeline.tsx";
import { StatusBadge } from "../../ui/badge.tsx";
import { CopyButton } from "../../ui/copy.tsx";
import { Confirm } from "../../ui/dialog.tsx";
import { Handle } from "../../ui/handle.tsx";
import { Icon } from "../../ui/icon.tsx";
import { NotFound } from "../../ui/not-found.tsx";
import { PageHeader, Section } from "../../ui/page.tsx";
import { LoadedView } from "../../ui/states.tsx";
import { notify } from "../../ui/status.tsx";
import { Neighbours } from "./neighbours.tsx";
import { SessionData } from "./session-data.tsx";
import { SessionFacts } from "./session-facts.tsx";

/** The page of one session, which its handle in the address names. */
export function SessionPage(): JSX.Element {
  const handle = place.value.query.get("handle") ?? "";
  // The key makes another session a new page, which keeps nothing of the one before.
  return <SessionOf key={handle} handle={handle} />;
}

/** Returns the session, or `null` if none is stored with this handle. */
async function loadSession(handle: string, signal: AbortSignal): Promise<SessionSummary | null> {
  if (!/^[\w-]{24}$/.test(handle)) return null;
  try {
    const { sessions: found } = await administration.listPage({ handle }, { signal });
    return found[0] ?? null;
  } catch (error) {
    // The text begins with a time at which no session can have been created, so it is no handle.
    if (error instanceof ProblemError && error.code === "invalid-request") return null;
    throw error;
  }
}

function SessionOf({ handle }: { readonly handle: string }): JSX.Element {
  const session = useLoaded(handle, (signal) => loadSession(handle, signal), { everyMs: REFRESH_MS });
  return (
    <LoadedView loading={session} what="Loading the session" heading="Session">
      {(found) => (found === null ? <NoSession handle={handle} /> : <Known session={found} reload={session.reload} />)}
    </LoadedView>
  );
}

function Known({ session, reload }: { readonly session: SessionSummary; readonly reload: () => void }): JSX.Element {
  const { handle, status } = session;
  const isEnding = useSignal(false);
  const isLive = status === "live";
  const timeline = useTimeline({ read: sessions.timeline, handle, isLive });
  const name = session.customerId ?? (session.state === "anonymous" ? "Anonymous visitor" : "Recognized session");
  useEffect(() => remember(`${name}, session ${handle.slice(-8)}`, hrefOf("sessions", { handle })), [handle, name]);
  const mayEnd = isLive && viewer.value?.may.includes("end") === true;
  const askToEnd = () => {
    isEnding.value = true;
  };
  useActions(mayEnd ? [{ title: "End this session", key: "x", icon: "stop", run: askToEnd }] : []);
  const { query } = place.value;
  const filter = {
    service: query.get("service") ?? "",
    status: query.get("status") ?? "",
    path: query.get("path") ?? "",
  };
  return (
    <>
      <PageHeader
        title={name}
        tabTitle={`${name}, session`}
        lead={
          <>
            <StatusBadge status={status} /> <Handle handle={handle} isWhole isLink={false} canCopy />
          </>
        }
        actions={
          <>
            <CopyButton text={location.href} what="link" hasLabel />
            {mayEnd && (
              <button type="button" class="danger" onClick={askToEnd}>
                <Icon name="stop" /> End session
              </button>
            )}
          </>
        }
      />
      <div class="columns">
        <div class="column-main">
          <Section title="Timeline" class="timeline-card">
            <Timeline
              timeline={timeline}
              filter={filter}
              traceUrl={viewer.value?.traceUrl ?? null}
              onFilter={(changed) => setQuery({ ...changed }, { replace: true })}
            />
          </Section>
        </div>
        <aside class="column-side" aria-label="About this session">
          <SessionFacts session={session} timeline={timeline} />
          {isLive && <SessionData handle={handle} />}
          {session.customerId !== null && <Neighbours customerId={session.customerId} handle={handle} />}
        </aside>
      </div>
      {isEnding.value && (
        <Confirm
          title="End this session?"
          action="End session"
          onClose={() => {
            isEnding.value = false;
          }}
          onConfirm={async () => {
            const hasEnded = await administration.end(handle);
            notify(hasEnded ? "The session was ended." : "The session was over already.");
            reload();
          }}
        >
          <p>
            The visitor is signed out with the next request and gets a new session. The timeline stays. This cannot be
            undone.
          </p>
        </Confirm>
      )}
    </>
  );
}

function NoSession({ handle }: { readonly handle: string }): JSX.Element {
  return (
    <NotFound
      heading="Session not found"
      icon="search"
      title={handle === "" ? "No session" : "Nothing is stored about this session"}
    >
      {handle === "" ? (
        <p>The address of this page names no session. Enter a handle into the box at the top.</p>
      ) : (
        <p>
          No session has the handle <code>{handle.slice(0, 24)}</code>, or it was removed some time after it had ended.
          A session of an anonymous visitor is stored only when something is known about it.
        </p>
      )}
    </NotFound>
  );
}
