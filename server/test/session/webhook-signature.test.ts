import assert from "node:assert/strict";
import { test } from "node:test";
import { Webhook } from "standardwebhooks";
import { newWebhookSecret, sign } from "../../src/session/webhook-signature.ts";
import { MINUTE } from "../support/sessions.ts";

const body = '{"id":"1","type":"session.created","data":{"é":"😀"}}';

test("the published verifier accepts our signatures, also with each secret of a rotation", () => {
  const [old, next, other] = [newWebhookSecret(), newWebhookSecret(), newWebhookSecret()];
  const headers = { ...sign("msg_1", body, [next, old], Date.now()) };
  for (const secret of [old, next]) assert.deepEqual(new Webhook(secret).verify(body, headers), JSON.parse(body));
  assert.throws(() => new Webhook(other).verify(body, headers), /No matching signature/);
});

test("the published verifier refuses a changed body or id, and a message that is older than five minutes", () => {
  const secret = newWebhookSecret();
  const webhook = new Webhook(secret);
  const headers = { ...sign("msg_1", body, [secret], Date.now()) };
  assert.throws(() => webhook.verify(body.replace("1", "2"), headers), /No matching signature/);
  assert.throws(() => webhook.verify(body, { ...headers, "webhook-id": "msg_2" }), /No matching signature/);
  const replayed = { ...sign("msg_1", body, [secret], Date.now() - 6 * MINUTE) };
  assert.throws(() => webhook.verify(body, replayed), /too old/);
});

test("our signatures are those of the example in the standard", () => {
  const secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
  const content = '{"email":"test@example.com","username":"test_user"}';
  assert.deepEqual(sign("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", content, [secret], 1_649_367_553_999), {
    "webhook-id": "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
    "webhook-timestamp": "1649367553",
    "webhook-signature": "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
  });
});
