// runs: outside
// needs: sh

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Deployment, StatefulSet } from "kubernetes-types/apps/v1.d.ts";
import type { Job } from "kubernetes-types/batch/v1.d.ts";
import type { ConfigMap, Container, Secret, Service } from "kubernetes-types/core/v1.d.ts";
import type { LabelSelector } from "kubernetes-types/meta/v1.d.ts";
import type { PodDisruptionBudget } from "kubernetes-types/policy/v1.d.ts";
import { parseDuration } from "../../src/config/values.ts";
import { run } from "../support/command-line.ts";
import { startServer } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { root } from "./build.ts";
import {
  deployDocument,
  deployText,
  isPinned,
  type Manifest,
  manifests,
  manifestsIn,
  unknownVariables,
} from "./documents.ts";
import { typeFaults } from "./kubernetes-types.ts";

type Workload = Manifest & (Deployment | StatefulSet | Job);

const all = manifests();
const workloads = all.filter(({ kind }) => /^(Deployment|StatefulSet|Job)$/.test(kind)) as Workload[];

interface Kinds {
  readonly ConfigMap: ConfigMap;
  readonly Deployment: Deployment;
  readonly Job: Job;
  readonly PodDisruptionBudget: PodDisruptionBudget;
  readonly Service: Service;
  readonly StatefulSet: StatefulSet;
}

function named<Kind extends keyof Kinds>(kind: Kind, name: string): Kinds[Kind] {
  const found = all.find((one) => one.kind === kind && one.metadata.name === name);
  assert.ok(found, `${kind} ${name}`);
  return found as unknown as Kinds[Kind];
}

const deployment = named("Deployment", "antechamber");
const nodes = named("StatefulSet", "redis");
const settings = named("ConfigMap", "antechamber").data ?? {};
const [server] = (deployment.spec?.template.spec?.containers ?? []) as [Container];

/** Returns the secrets that `secrets.sh` prints. */
function secrets(): Manifest[] {
  const text = execFileSync(join(root, "deploy/kubernetes/secrets.sh"), { encoding: "utf8" });
  return manifestsIn(text, "secrets.sh");
}

test("every object matches the Kubernetes types, without unknown members", async () => {
  assert.ok(all.length > 8, String(all.length));
  assert.equal(await typeFaults([...all, ...secrets()]), "");
  const misspelt = { ...all[0], spec: { clusterIp: "None" } } as unknown as Manifest;
  assert.match(await typeFaults([misspelt]), /clusterIp/);
});

test("the kustomization lists exactly the files that exist", () => {
  const { resources } = deployDocument("kubernetes/kustomization.yaml") as { resources: string[] };
  const files = readdirSync(join(root, "deploy/kubernetes")).filter(
    (file) => file.endsWith(".yaml") && file !== "kustomization.yaml",
  );
  assert.deepEqual(resources.toSorted(), ["../redis", ...files].toSorted());
  const { configMapGenerator } = deployDocument("redis/kustomization.yaml") as {
    configMapGenerator: { name: string; files: string[] }[];
  };
  for (const file of configMapGenerator.flatMap((one) => one.files)) {
    assert.ok(existsSync(join(root, "deploy/redis", file)), file);
  }
});

test("images have release tags", () => {
  const { images } = deployDocument("kubernetes/kustomization.yaml") as {
    images: { name: string; newName: string; newTag: string }[];
  };
  for (const { metadata, spec } of workloads) {
    for (const { image = "" } of spec?.template.spec?.containers ?? []) {
      const replaced = images.find(({ name }) => name === image);
      const used = replaced === undefined ? image : `${replaced.newName}:${replaced.newTag}`;
      assert.ok(isPinned(used), `${metadata.name}: ${used}`);
    }
  }
});

test("no container has more rights or fewer limits than it needs", () => {
  assert.equal(workloads.length, 3);
  for (const { metadata, spec } of workloads) {
    const pod = spec?.template.spec;
    assert.equal(pod?.securityContext?.runAsNonRoot, true, metadata.name);
    assert.equal(pod?.automountServiceAccountToken, false, metadata.name);
    assert.equal(pod?.enableServiceLinks, false, metadata.name);
    for (const { resources, securityContext } of pod?.containers ?? []) {
      assert.ok(resources?.requests?.cpu, metadata.name);
      assert.ok(resources.requests.memory, metadata.name);
      assert.ok(resources.limits?.memory, metadata.name);
      assert.deepEqual(securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
    }
  }
});

test("selectors match their pods and no others", () => {
  const chosen: [what: string, selector: LabelSelector["matchLabels"], workload: Workload][] = [
    ["Deployment", deployment.spec?.selector.matchLabels, deployment as Workload],
    ["StatefulSet", nodes.spec?.selector.matchLabels, nodes as Workload],
  ];
  for (const workload of [deployment, nodes] as Workload[]) {
    const { name } = workload.metadata;
    const service = named("Service", name);
    const budget = named("PodDisruptionBudget", name);
    chosen.push([`Service ${name}`, service.spec?.selector, workload]);
    chosen.push([`budget of ${name}`, budget.spec?.selector?.matchLabels, workload]);
  }
  for (const [what, selector = {}, { spec }] of chosen) {
    const labels = spec?.template.metadata?.labels ?? {};
    assert.ok(Object.keys(selector).length > 0, what);
    for (const [key, value] of Object.entries(selector)) assert.equal(labels[key], value, what);
  }
});

test("config maps, secrets and volumes that are referred to exist", () => {
  const made = secrets().map(({ metadata }) => metadata.name);
  const { configMapGenerator } = deployDocument("redis/kustomization.yaml") as {
    configMapGenerator: { name: string }[];
  };
  const generated = configMapGenerator.map(({ name }) => name);
  for (const { metadata, spec } of workloads) {
    const pod = spec?.template.spec;
    const claims = "volumeClaimTemplates" in (spec ?? {}) ? ["data"] : [];
    const volumes = [...(pod?.volumes ?? []).map(({ name }) => name), ...claims];
    for (const volume of pod?.volumes ?? []) {
      if (volume.secret) assert.ok(made.includes(volume.secret.secretName ?? ""), volume.name);
      if (volume.configMap) assert.ok(generated.includes(volume.configMap.name ?? ""), volume.name);
    }
    for (const { volumeMounts = [] } of pod?.containers ?? []) {
      for (const { name } of volumeMounts) {
        assert.ok(volumes.includes(name), `${metadata.name}: ${name}`);
      }
    }
  }
});

test("every Redis node is in the cluster and has the addresses of the others", () => {
  const { replicas = 0, template } = nodes.spec ?? {};
  const names = Array.from({ length: replicas }, (_, i) => `redis-${i}.redis`);
  const job = named("Job", "redis-cluster");
  assert.deepEqual(job.spec?.template.spec?.containers[0]?.args, names);
  const peers = template?.spec?.containers[0]?.env?.find(({ name }) => name === "PEERS");
  assert.deepEqual(peers?.value?.split(" "), names);
  const store = (secrets() as (Manifest & Secret)[]).find(({ stringData }) => stringData?.store);
  const seeds = store?.stringData?.store?.split("@")[1]?.split(",");
  assert.deepEqual(
    seeds,
    names.map((name) => `${name}:6379`),
  );
});

test("Kubernetes gives a server enough time to stop", () => {
  const { terminationGracePeriodSeconds = 0 } = deployment.spec?.template.spec ?? {};
  // The installed types do not have `sleep` yet.
  const { preStop } = server.lifecycle as { preStop: { sleep: { seconds: number } } };
  const stopping = parseDuration(settings.ANTECHAMBER_SHUTDOWN_TIMEOUT ?? "") ?? Number.NaN;
  assert.ok(preStop.sleep.seconds + stopping / 1000 + 5 <= terminationGracePeriodSeconds);
});

test("the settings and the secret are a valid configuration", async () => {
  for (const file of ["kubernetes/server.yaml", "kubernetes/secrets.sh"]) {
    assert.deepEqual(unknownVariables(deployText(file)), [], file);
  }
  const env = { ...settings };
  for (const { name, valueFrom } of server.env ?? []) {
    const { name: secret, key = "" } = valueFrom?.secretKeyRef ?? {};
    const found = (secrets() as (Manifest & Secret)[]).find((one) => one.metadata.name === secret);
    env[name] = found?.stringData?.[key] ?? "";
  }
  assert.match(env.ANTECHAMBER_STORE ?? "", /^redis\+cluster:/);
  await using folder = temporaryDirectory();
  const { code, stderr } = await run(["config", "check"], { env, cwd: folder.path });
  assert.equal(code, 0, stderr);
});

test("the probes use paths that need no key", async () => {
  const { ANTECHAMBER_PORT: port, ...rest } = settings;
  assert.equal(server.ports?.[0]?.containerPort, Number(port));
  await using folder = temporaryDirectory();
  const env = { ...rest, ANTECHAMBER_DATA_DIR: folder.path };
  await using running = await startServer({ env, dataDir: folder.path });
  const paths = [server.startupProbe, server.livenessProbe, server.readinessProbe].map(
    (probe) => probe?.httpGet?.path ?? "",
  );
  assert.deepEqual(paths, ["/healthz", "/healthz", "/readyz"]);
  for (const path of paths) assert.equal((await fetch(running.url + path)).status, 200, path);
});
