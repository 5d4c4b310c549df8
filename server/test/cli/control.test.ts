// runs: once

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { request } from "node:http";
import { test } from "node:test";
import { exitOf } from "../../src/cli/exit-codes.ts";
import { ControlError, connectControl } from "../../src/control/client.ts";
import { type Admin, adminOver } from "../../src/control/operations.ts";
import { listenControl } from "../../src/control/server.ts";
import type { ApiKeyRequest } from "../../src/services/credentials.ts";
import { Refusal } from "../../src/session/errors.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** Returns the operations in `needed`; all others reject. */
function adminWith(needed: Partial<Admin>): Admin {
  return { ...adminOver(() => Promise.reject(new Error("not of this test"))), ...needed };
}

const keyRequest: ApiKeyRequest = {
  ...{ name: "Läden 😀", role: "agent", customerId: null, agentId: "änna" },
  validFor: 5,
};

test("parameters and results arrive unchanged", async () => {
  await using folder = temporaryDirectory();
  const asked: unknown[] = [];
  const control = await listenControl(folder.path, () =>
    adminWith({
      createKey: async (given) => {
        asked.push(given);
        throw new TypeError("no such role");
      },
      revokeKey: async (id) => asked.push(id) > 0,
      getSession: async () => undefined,
      rotateSecret: async () => ({ createdAt: 1, secrets: 2 }),
    }),
  );
  const admin = await connectControl(folder.path);
  assert.ok(admin);
  await assert.rejects(admin.createKey(keyRequest), (error) => {
    return error instanceof ControlError && error.message.includes("no such role");
  });
  assert.equal(await admin.revokeKey("k_ü"), true);
  assert.deepEqual(asked, [keyRequest, "k_ü"]);
  assert.equal(await admin.getSession("x"), undefined);
  assert.deepEqual(await admin.rotateSecret(), { createdAt: 1, secrets: 2 });
  await control.close();
  assert.equal(await connectControl(folder.path), undefined);
});

test("a refusal of the store arrives as a refusal; an unexpected error arrives without its stack", async () => {
  await using folder = temporaryDirectory();
  const reason = { code: "unavailable", retryAfterSeconds: 3, outcome: "unknown" } as const;
  const control = await listenControl(folder.path, () =>
    adminWith({ endSession: () => Promise.reject(new Refusal(reason, new Error("the disk is full"))) }),
  );
  const admin = await connectControl(folder.path);
  await assert.rejects(admin?.endSession("x") ?? Promise.resolve(), (error) => {
    assert.ok(error instanceof Refusal);
    assert.deepEqual(error.reason, reason);
    assert.match(exitOf(error).message, /does not accept changes now \(the disk is full\)/);
    return true;
  });
  await assert.rejects(admin?.listKeys() ?? Promise.resolve(), {
    message: "the server could not do it: not of this test",
  });
  await control.close();
});

test("closing waits for operations in progress", async () => {
  await using folder = temporaryDirectory();
  const begun = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<boolean>();
  const control = await listenControl(folder.path, () =>
    adminWith({
      endSession() {
        begun.resolve();
        return finish.promise;
      },
    }),
  );
  const admin = await connectControl(folder.path);
  const answer = admin?.endSession("x");
  await begun.promise;
  const closed = control.close();
  finish.resolve(true);
  assert.equal(await answer, true);
  await closed;
  assert.ok(!existsSync(control.path));
});

test("unknown operations and invalid parameters are refused", async () => {
  await using folder = temporaryDirectory();
  const control = await listenControl(folder.path, () => adminWith({}));
  const cases: [method: string, path: string, body: string][] = [
    ["GET", "/listKeys", ""],
    ["POST", "/constructor", "null"],
    ["POST", "/revokeKey", "{"],
    ["POST", "/revokeKey", JSON.stringify("x".repeat(70_000))],
  ];
  for (const [method, path, body] of cases) {
    assert.equal(await statusOf(control.path, method, path, body), 400, `${method} ${path}`);
  }
  await control.close();
});

function statusOf(socketPath: string, method: string, path: string, body: string) {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
