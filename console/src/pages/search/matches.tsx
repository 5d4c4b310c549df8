import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { useLoaded } from "../../api/loading.ts";
import { hrefOf, navigate } from "../../router.ts";
import { Section } from "../../ui/page.tsx";
import { EmptyState, LoadedView } from "../../ui/states.tsx";
import { idFilters } from "./filters.ts";
import { countOf, loadSessionPage } from "./session-list.ts";

/** A kind of id as which the text was found, with the number of its sessions. */
interface Match {
  readonly name: string;
  readonly label: string;
  /** `null` if the API does not count them. */
  readonly total: number | null;
}

/** Looks up a text as an id of every kind, in parallel. */
async function findMatches(text: string, signal: AbortSignal): Promise<readonly Match[]> {
  const found = await Promise.all(
    idFilters.map(async ([name, label]) => {
      const { sessions, total } = await loadSessionPage({ [name]: text }, undefined, signal, 1);
      return sessions.length > 0 ? [{ name, label, total }] : [];
    }),
  );
  return found.flat();
}

/** The matches of a searched text. If there is only one, its sessions are shown at once. */
export function Matches({ text }: { readonly text: string }): JSX.Element {
  const matches = useLoaded(text, (signal) => findMatches(text, signal));
  const only = matches.value?.length === 1 ? matches.value[0] : undefined;
  useEffect(() => {
    if (only) navigate(hrefOf("search", { [only.name]: text }), { replace: true });
  }, [only]);
  return (
    <LoadedView loading={matches} what="Searching">
      {(found) =>
        found.length === 0 ? (
          <EmptyState icon="search" title="Nothing has this id">
            <p>
              No session has <bdi class="id">{text}</bdi> as its customer, agent, visit, global visit or label. Ids are
              found as a whole, with the same capital letters. Sessions are kept for a while after they have ended, and
              then removed.
            </p>
          </EmptyState>
        ) : (
          <Section title={`“${text}” has several matches`}>
            <ul class="choices">
              {found.map(({ name, label, total }) => (
                <li key={name} data-row="">
                  <a href={hrefOf("search", { [name]: text })}>
                    <strong>{label}</strong>
                    <span class="quiet">{total === null ? "some sessions" : countOf(total, true)}</span>
                  </a>
                </li>
              ))}
            </ul>
          </Section>
        )
      }
    </LoadedView>
  );
}
