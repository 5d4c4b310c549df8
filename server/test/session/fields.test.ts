// runs: once

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { bodyIds, headerIds } from "@antechamber/client/protocol";
import { parse } from "yaml";
import {
  bitSetOf,
  bodyFields,
  fieldsOfBitSet,
  headerFields,
  headerNames,
  idFields,
  idFieldTable,
} from "../../src/session/fields.ts";
import { bitsOf } from "../../src/store/event-bits.ts";
import { GENERATION_LINE, HISTORY_LINE } from "../../src/store/redis/layout/session-codec.ts";
import { scripts } from "../../src/store/redis/scripts/scripts.ts";
import { migrate } from "../../src/store/sqlite/files/schema.ts";
import { HOLDS } from "../../src/store/sqlite/index/index-batch.ts";

/* Checks that files which are not made from the table of ids, and which the compiler does not check, have every id. */

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
const rows = Object.values(idFieldTable);

test("each id has its own place in a store, which no other data use", () => {
  const bits: number[] = [HOLDS, bitsOf({ fields: [], isRotation: true }), ...rows.map(({ bit }) => bit)];
  assert.deepEqual(
    bits.filter((bit) => !Number.isInteger(Math.log2(bit))),
    [],
  );
  const lines = [0, 1, 2, HISTORY_LINE, GENERATION_LINE, ...rows.map(({ redisLine }) => redisLine)];
  const columns = rows.map(({ column }) => column);
  const hashes = rows.map(({ redisHash }) => redisHash);
  for (const places of [bits, lines, columns, hashes]) {
    assert.equal(new Set<unknown>(places).size, places.length, String(places));
  }
  assert.deepEqual(fieldsOfBitSet(bitSetOf(idFields) + HOLDS), idFields);
  for (const field of idFields) assert.deepEqual(fieldsOfBitSet(bitSetOf([field])), [field]);
});

test("what earlier releases have stored can still be read", () => {
  const places = idFields.map((field) => {
    const { bit, column, redisLine, redisHash } = idFieldTable[field];
    return `${field} ${bit} ${column} ${redisLine} ${redisHash}`;
  });
  const before = [
    "agentId 1 agent_id 3 0",
    "customerId 2 customer_id 4 10",
    "visitId 4 visit_id 5 20",
    "globalVisitId 8 global_visit_id 6 30",
  ];
  assert.deepEqual(places.slice(0, before.length), before);
});

test("the client knows every id, and sends it where the server reads it", () => {
  assert.deepEqual(headerIds, headerFields);
  assert.deepEqual(bodyIds, bodyFields);
});

test("the schema of SQLite has a column for every id", () => {
  using database = new DatabaseSync(":memory:");
  migrate(database, 0);
  const columns = database.prepare("PRAGMA table_info(sessions)").all();
  const types = new Map(columns.map(({ name, type }) => [name, type]));
  for (const { column } of rows) assert.equal(types.get(column), "TEXT", column);
});

test("scripts of Redis that read sessions declare the line and the bit of every id", () => {
  const lines = rows.map(({ redisLine }) => redisLine + 1).join();
  const bits = rows.map(({ bit }) => bit).join();
  for (const [name, { source }] of Object.entries(scripts)) {
    if (!source.includes("local function load()")) continue;
    assert.ok(source.includes(`{ ${lines} }, { ${bits} }`), name);
  }
});

interface Parameter {
  readonly $ref: string;
}

interface Document {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<
        Record<
          string,
          {
            readonly parameters?: readonly Parameter[];
            readonly responses: Readonly<Record<string, { readonly headers?: object }>>;
          }
        >
      >
    >
  >;
  readonly components: {
    readonly schemas: { readonly VisitBody: { readonly properties: object } };
    readonly parameters: Readonly<Record<string, object>>;
  };
}

test("the OpenAPI document has every id where requests send it and proxies get it", () => {
  const { paths, components } = parse(read("server/openapi.yaml")) as Document;
  assert.deepEqual(Object.keys(components.schemas.VisitBody.properties), [...bodyFields, "profile", "label"]);
  const operations = [
    ["/sessions/new", "put"],
    ["/sessions/{sessionId}", "get"],
    ["/sessions/{sessionId}", "post"],
  ] as const;
  for (const [path, method] of operations) {
    const names = paths[path]?.[method]?.parameters?.map(({ $ref }) => $ref.split("/").at(-1));
    for (const field of headerFields) {
      assert.ok(names?.includes(headerNames(field)[0]), `${method} ${path}: ${field}`);
    }
  }
  for (const path of ["/forward-auth", "/forward-auth/{path}"]) {
    const shown = Object.keys(paths[path]?.["get"]?.responses["200"]?.headers ?? {});
    for (const field of idFields) assert.ok(shown.includes(`gkc-${field}`), `${path}: ${field}`);
  }
});

test("the contract and the guide to the API name every id", () => {
  for (const file of ["docs/contract.md", "docs/api.md"]) {
    const text = read(file);
    for (const field of idFields) assert.ok(text.includes(field), `${file}: ${field}`);
  }
});
