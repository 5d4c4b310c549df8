import type { JSX } from "preact";
import { sessions } from "../../api/api.ts";
import { useLoaded } from "../../api/loading.ts";
import { REFRESH_MS } from "../../polling.ts";
import { CopyButton } from "../../ui/copy.tsx";
import { Section } from "../../ui/page.tsx";

/** The data that applications share in a live session; nothing for a role that may not read them. */
export function SessionData({ handle }: { readonly handle: string }): JSX.Element | null {
  const read = async (signal: AbortSignal) => (await sessions.readData(handle, { signal })).data;
  const { value } = useLoaded(handle, read, { everyMs: REFRESH_MS });
  if (value === undefined) return null;
  if (Object.keys(value).length === 0) {
    return (
      <Section title="Data">
        <p class="hint">No application has stored data in this session.</p>
      </Section>
    );
  }
  const text = JSON.stringify(value, undefined, 2);
  const { length: bytes } = new TextEncoder().encode(JSON.stringify(value));
  return (
    <Section title="Data" actions={<CopyButton text={text} what="data" />}>
      <section class="data" tabIndex={0} aria-label="Data of the session">
        <Members of={value} />
      </section>
      <p class="hint">{bytes.toLocaleString("en")} of 16,384 bytes</p>
    </Section>
  );
}

/** The members of an object, or the items of an array. */
function Members({ of }: { readonly of: object }): JSX.Element {
  return (
    <ul class="tree">
      {Object.entries(of).map(([name, value]) => (
        <li key={name}>
          <Member name={name} value={value as unknown} />
        </li>
      ))}
    </ul>
  );
}

/** A member. An object or an array can be closed. */
function Member({ name, value }: { readonly name: string; readonly value: unknown }): JSX.Element {
  if (typeof value !== "object" || value === null) {
    return (
      <>
        <bdi class="name">{name}</bdi> <bdi class={value === null ? "null" : typeof value}>{JSON.stringify(value)}</bdi>
      </>
    );
  }
  const { length: count } = Object.keys(value);
  const kind = Array.isArray(value) ? "item" : "member";
  return (
    <details open>
      <summary>
        <bdi class="name">{name}</bdi>{" "}
        <span class="hint">
          {count} {count === 1 ? kind : `${kind}s`}
        </span>
      </summary>
      <Members of={value} />
    </details>
  );
}
