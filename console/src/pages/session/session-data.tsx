import type { JSX } from "preact";
import { sessions } from "../../api/api.ts";
import { useLoaded } from "../../api/loading.ts";
import { CopyButton } from "../../ui/copy.tsx";
import { Section } from "../../ui/page.tsx";

/** The data that applications share in a live session; nothing if there are none. */
export function SessionData({ handle }: { readonly handle: string }): JSX.Element | null {
  const loading = useLoaded(handle, async (signal) => (await sessions.readData(handle, { signal })).data);
  // Not every session has data, and not every role may read them. Neither is a failure of the page.
  if (loading.value === undefined || Object.keys(loading.value).length === 0) return null;
  const text = JSON.stringify(loading.value, undefined, 2);
  return (
    <Section title="Data" actions={<CopyButton text={text} what="data" />}>
      <section class="data" tabIndex={0} aria-label="Data of the session">
        <code>{text}</code>
      </section>
    </Section>
  );
}
