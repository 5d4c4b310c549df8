import type { SettingInfo } from "@antechamber/client/protocol";
import type { JSX } from "preact";
import { administration } from "../../api/api.ts";
import { useLoaded } from "../../api/loading.ts";
import { place, setQuery } from "../../router.ts";
import { Badge } from "../../ui/badge.tsx";
import { formatBytes } from "../../ui/bytes.ts";
import { Field, Select } from "../../ui/field.tsx";
import { Facts, PageHeader, Section } from "../../ui/page.tsx";
import { EmptyState, LoadedView } from "../../ui/states.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Time } from "../../ui/time.tsx";

/** The page that shows the settings of the server, where each comes from, and the state of the service. */
export function SettingsPage(): JSX.Element {
  const { query } = place.value;
  const text = query.get("find") ?? "";
  const isChangedOnly = query.get("source") === "set";
  const settings = useLoaded("settings", async (signal) => await administration.configuration({ signal }));
  return (
    <>
      <PageHeader
        title="Settings"
        lead="As the server uses them, with their sources. Secrets are masked. To change one, change its source and restart the server."
      />
      <State />
      <div class="filters">
        <Field
          label="Find a setting"
          value={text}
          placeholder="retention"
          onInput={(value) => setQuery({ find: value }, { replace: true })}
        />
        <Select
          label="Show"
          value={isChangedOnly ? "set" : ""}
          options={[
            ["", "All settings"],
            ["set", "Only those that were set"],
          ]}
          onChange={(value) => setQuery({ source: value })}
        />
      </div>
      <LoadedView loading={settings} what="Loading settings">
        {(all) => {
          const found = all.filter(
            (setting) => isMeant(setting, text) && (!isChangedOnly || setting.source !== "default"),
          );
          return found.length === 0 ? (
            <EmptyState icon="settings" title="No setting matches">
              <p>
                {isChangedOnly ? "Every other setting has its default." : "Look for a part of its name or description."}
              </p>
            </EmptyState>
          ) : (
            <section class="card flush settings" aria-label="Settings">
              <div class="card-tools">
                <p class="quiet" role="status">
                  {found.length === 1 ? "1 setting" : `${found.length} settings`}
                </p>
              </div>
              <Table caption="Settings" columns={columns} rows={found} keyOf={({ name }) => name} />
            </section>
          );
        }}
      </LoadedView>
    </>
  );
}

function isMeant({ name, description, value }: SettingInfo, text: string): boolean {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const content = `${name} ${description} ${String(value)}`.toLowerCase();
  return words.every((word) => content.includes(word));
}

const columns: readonly Column<SettingInfo>[] = [
  {
    id: "name",
    title: "Setting",
    isName: true,
    cell: ({ name, description }) => (
      <span class="stacked">
        <code class="strong">{name}</code>
        <span class="quiet">{description}</span>
      </span>
    ),
  },
  {
    id: "value",
    title: "Value",
    cell: ({ value }) => {
      const text = Array.isArray(value) ? value.join(", ") : String(value);
      return text === "" ? <span class="quiet">none</span> : <code class="value">{text}</code>;
    },
  },
  {
    id: "source",
    title: "Source",
    cell: ({ source, from }) => (
      <span class="stacked">
        <Badge tone={source === "default" ? "neutral" : "notice"}>{source}</Badge>
        {source !== "default" && <span class="quiet value">{from}</span>}
      </span>
    ),
  },
];

function State(): JSX.Element {
  const health = useLoaded("health", async (signal) => await administration.health({ signal }), { everyMs: 10_000 });
  return (
    <Section title="This server">
      <LoadedView loading={health} what="Loading the state">
        {({ status, version, runtime, startedAt, auth, memoryBytes, store }) => (
          <Facts
            facts={[
              [
                "State",
                <Badge key="state" tone={status === "ok" ? "good" : "bad"}>
                  {status}
                </Badge>,
              ],
              ["Version", version],
              ["Runtime", runtime],
              ["Started", <Time key="time" at={startedAt} />],
              ["Auth mode", auth],
              ["Memory", formatBytes(memoryBytes)],
              [
                "Store",
                `${store.engine === "sqlite" ? "SQLite" : "Redis"}${store.bytes === null ? "" : `, ${formatBytes(store.bytes)}`}`,
              ],
              ["Changes under way", String(store.pendingChanges)],
            ]}
          />
        )}
      </LoadedView>
    </Section>
  );
}
