import assert from "node:assert/strict";
import { type RequestTemplate, rotating } from "./requests.ts";
import { send } from "./send.ts";
import type { Running, Subject } from "./subject.ts";

type Verified = Pick<Subject, "name" | "group" | "requests" | "ticket">;

/**
 * Sends each operation once, so that no incomplete service is measured: a session must get its ids and keep them, and a
 * different customer must be refused.
 */
export async function verify(subject: Verified, { url }: Pick<Running, "url">): Promise<void> {
  if (subject.group === "limit") {
    assert.equal((await ask(url, subject.requests.retrieve, "any")).status, 200);
    return;
  }
  const { createAnonymous, createWithIds, retrieve, associate } = subject.requests;
  const fresh = await ask(url, createAnonymous, "");
  assert.equal(fresh.info.state, "anonymous", subject.name);
  const ticket = ticketIn(subject, fresh);
  const associated = await ask(url, associate, ticket);
  assert.equal(associated.status, 200, subject.name);
  const found = await ask(url, retrieve, ticket);
  assert.equal(found.info.sessionId, fresh.info.sessionId, subject.name);
  assert.equal(found.info.customerId, associated.info.customerId, subject.name);
  assert.equal(found.info.visitId, associated.info.visitId, subject.name);
  assert.equal((await ask(url, associate, ticket)).status, 400, subject.name);

  if (subject.group === "ours") await verifyRotation(subject, url);

  const full = await ask(url, createWithIds, "");
  assert.equal(full.info.state, "recognized", subject.name);
  assert.ok(full.info.customerId && full.info.visitId && full.info.globalVisitId, subject.name);
  assert.equal(Object.keys(full.info).length, 9, subject.name);
}

/** Checks that an association with rotation gives the session another id. */
async function verifyRotation(subject: Verified, url: string): Promise<void> {
  const { createAnonymous, retrieve, associate } = subject.requests;
  const fresh = await ask(url, createAnonymous, "");
  const rotated = await ask(url, rotating(associate), ticketIn(subject, fresh));
  assert.equal(rotated.status, 200, subject.name);
  assert.notEqual(rotated.info.sessionId, fresh.info.sessionId, subject.name);
  const found = await ask(url, retrieve, ticketIn(subject, rotated));
  assert.equal(found.info.customerId, rotated.info.customerId, subject.name);
}

type Answer = { status: number; text: string; cookie: string; info: Record<string, unknown> };

async function ask(url: string, request: RequestTemplate, ticket: string): Promise<Answer> {
  const response = await send(url, request, ticket);
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json");
  const info = isJson ? (JSON.parse(text) as Record<string, unknown>) : {};
  return {
    status: response.status,
    text,
    cookie: response.headers.get("set-cookie") ?? "",
    info,
  };
}

function ticketIn(subject: Verified, answer: Answer): string {
  if (subject.ticket.from === "body") return String(answer.info.sessionId);
  return answer.cookie.split(";")[0] ?? "";
}
