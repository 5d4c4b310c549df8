// runs: once

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { createApi, sessionOf } from "../support/api.ts";
import { serve } from "../support/in-process.ts";

const folder = new URL("../../../deploy/", import.meta.url);
const read = (name: string) => readFileSync(new URL(name, folder), "utf8");

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string }[];
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: unknown }[] };
}

const { groups } = parse(read("prometheus/alerts.yaml")) as { groups: readonly { readonly rules: readonly Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(read("grafana/antechamber.json")) as Dashboard;
const alerted = rules.map(({ expr }) => expr);
const shown = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
const expressions = [...alerted, ...shown];

/** Returns the names of metrics in an expression. `up` is a metric of Prometheus itself. */
function metricsIn(expression: string): string[] {
  const withoutTexts = expression.replaceAll(/"[^"]*"/g, "");
  return withoutTexts.match(/\b(?:antechamber|process|nodejs)_\w+/g) ?? [];
}

test("each metric of the alerts and the dashboard is exported by a running server", async () => {
  await using server = await serve();
  const api = createApi(server.url);
  await api.call("POST", "/webhooks", { json: { url: "http://127.0.0.1:1/" } });
  sessionOf(await api.create({ headers: { gkc_customerId: "c" } }));
  await api.call("GET", "/nothing");
  const { text } = await api.call("GET", "/metrics");
  const exported = new Set(Array.from(text.matchAll(/^# TYPE (\S+) /gm), ([, name = ""]) => name));
  for (const expression of expressions) {
    for (const name of metricsIn(expression)) {
      const base = name.replace(/_(?:bucket|sum|count)$/, "");
      assert.ok(exported.has(name) || exported.has(base), `${name} in ${expression}`);
    }
  }
  // Lost data do not come back, so an operator has to hear of them, and to see them.
  const ofLosses = [...exported].filter((name) => name.includes("_lost_"));
  assert.ok(ofLosses.length >= 2);
  for (const name of ofLosses) {
    for (const each of [alerted, shown]) assert.ok(each.join().includes(name), name);
  }
});

test("labels in the alerts and the dashboard are those of the metrics", async () => {
  await using server = await serve();
  const api = createApi(server.url);
  sessionOf(await api.create({ headers: { gkc_customerId: "c" } }));
  await api.call("GET", "/nothing");
  const { text } = await api.call("GET", "/metrics");
  const known = new Set(Array.from(text.matchAll(/[{,](\w+)="/g), ([, label]) => label));
  // Those of Prometheus itself, of the endpoints of webhooks, of their attempts, and of a client that sends no HTTP.
  for (const label of ["job", "instance", "webhook", "outcome", "status"]) known.add(label);
  for (const expression of expressions) {
    const used = [
      ...Array.from(expression.matchAll(/(\w+)(?:=~|!=|!~|=)"/g), ([, label]) => label),
      ...Array.from(expression.matchAll(/\bby \(([^)]*)\)/g), ([, labels = ""]) => labels.split(/,\s*/)).flat(),
    ];
    for (const label of used) assert.ok(known.has(label ?? ""), `${label} in ${expression}`);
  }
});

test("each alert has a severity, and says what it means and what to do", () => {
  assert.ok(rules.length > 5);
  assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length);
  for (const { alert, expr, labels, annotations } of rules) {
    assert.match(alert, /^Antechamber\w+$/);
    assert.ok(["critical", "warning", "info"].includes(labels.severity), alert);
    assert.ok(annotations.summary.length > 10 && annotations.description.length > 20, alert);
    assert.equal(expr.split("(").length, expr.split(")").length, alert);
  }
});

test("the panels of the dashboard have ids of their own, and none covers another", () => {
  const { panels } = dashboard;
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const taken = new Map<string, string>();
  for (const { title, gridPos, targets } of panels) {
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      assert.ok(x < 24, title);
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.equal(taken.get(`${x} ${y}`), undefined, `${title} covers ${taken.get(`${x} ${y}`)}`);
        taken.set(`${x} ${y}`, title);
      }
    }
    for (const { expr } of targets ?? []) assert.equal(expr.split("(").length, expr.split(")").length, expr);
  }
  const variables = new Set(dashboard.templating.list.map(({ name }) => name));
  for (const [, name = ""] of JSON.stringify(panels).matchAll(/\$\{?([a-z]\w*)/g)) assert.ok(variables.has(name), name);
});
