import { changeData, NO_DATA } from "../../../session/data.ts";
import { isRenewalDue } from "../../../session/lifetime.ts";
import { isReached } from "../../../session/permissions.ts";
import { isLive, type Session } from "../../../session/session.ts";
import type { DataRequest, DataResult, SessionWithData } from "../../ports/data.ts";
import type { TransferredData } from "../../ports/transfer.ts";
import { refusal } from "../connection/connection.ts";
import type { Operation } from "../engine.ts";
import { newNonce } from "../layout/nonce.ts";
import { decode, hasHadData } from "../layout/session-codec.ts";
import { scripts } from "../scripts/scripts.ts";
import { encodeScope, sessionArgs, sessionKeys } from "./session-scripts.ts";
import { findWith, sessionIn } from "./sessions.ts";

/*
 * The data of a session are a key of their own (`StoredData`). The version is the nonce of the request that stored them. A change is computed here and stored by a script, if the version is still
 * the one that was read; otherwise it is computed again. Redis has no exact form of JSON: its library makes no difference
 * between an empty object and an empty array.
 *
 * A script may be sent twice. The second copy finds its own version and changes nothing. If others have changed the data
 * meanwhile, nobody knows whether the first copy was carried out. Then the change must not be made again, because it
 * could undo theirs: its outcome is unknown.
 */

/** Returns the session with this handle, as `find` does, and its data. */
export async function findWithData(operation: Operation, handle: string): Promise<SessionWithData> {
  const { session, more } = await findWith(operation, handle, operation.keys.data(handle));
  return { session, data: parse(more).json };
}

/** Changes the data of a session, and renews it. Sends one command if there is nothing to change, usually two. */
export async function changeSessionData(operation: Operation, request: DataRequest): Promise<DataResult> {
  const { handle, generation, scope, change, preconditions, now } = request;
  const { keys, engine } = operation;
  await engine.renewals.of(handle);
  const version = newNonce();
  let [text, value] = (await operation.command("mget", keys.session(handle), keys.data(handle))) as unknown[];
  for (;;) {
    const session = sessionIn(operation, handle, text);
    if (!isLive(session, now) || !isReached(session, generation, scope)) return { outcome: "absent" };
    const before = parse(value);
    const result = changeData(before.json, change, preconditions);
    if (result.outcome !== "changed") return result;
    const isDue = isRenewalDue(session, now, engine.policy.lifetimes);
    if (result.json === before.json && !isDue) return { ...result, session: null };
    const known = typeof text === "string" && hasHadData(text) && !isDue ? text : "";
    const next = { known, life: session.expiresAt - now, read: before.version, version, json: result.json };
    const [outcome, stored, more] = await store(operation, request, next);
    if (outcome === "absent") return { outcome };
    if (outcome === "changed") {
      engine.notes.take(engine.queueOf(handle), more);
      const isStored = isDue || typeof text !== "string";
      return { ...result, session: isStored ? decode(handle, String(stored)) : null };
    }
    if (operation.isUncertain) throw refusal(operation, undefined);
    [text, value] = [stored, more];
  }
}

/** New data, and what was read before. */
interface NewData {
  /** The session's text, if nothing but the data is to be changed; otherwise `""`. */
  readonly known: string;
  /** Time (ms) until the session expires, with that text. */
  readonly life: number;
  /** The version of the data that were read; `""` if there were none. */
  readonly read: string;
  readonly version: string;
  readonly json: string;
}

/** Runs `scripts/change-data.lua`, and returns its reply. */
async function store(operation: Operation, { handle, scope, generation }: DataRequest, data: NewData) {
  const { keys, engine } = operation;
  const names = [...sessionKeys(operation, handle), keys.data(handle), keys.setAside(handle), engine.queueOf(handle)];
  const { known, life, read, version, json } = data;
  const value = encode(version, operation.now, json);
  const args = [encodeScope(scope), generation ?? "", read, version, value, known, life];
  const reply = await operation.change(scripts.changeData, names, [...sessionArgs(operation, handle), ...args]);
  return reply as [outcome: string, session: string | null, more: string | null];
}

/** The data of a session as they are stored: a version, the time of the last change (Unix ms), and the JSON text. */
interface StoredData {
  readonly version: string;
  readonly changedAt: number;
  readonly json: string;
}

function encode(version: string, changedAt: number, json: string): string {
  return `${version} ${changedAt}\n${json}`;
}

/** Parses the value of a session's data; `null` if there are none. */
function parse(value: unknown): StoredData {
  if (typeof value !== "string") return { version: "", changedAt: 0, json: NO_DATA };
  const end = value.indexOf("\n");
  const [version = "", changedAt] = value.slice(0, end).split(" ");
  return { version, changedAt: Number(changedAt), json: value.slice(end + 1) };
}

/** Returns the data in the value of their key. */
export function decodeData(value: unknown): TransferredData {
  const { json, changedAt } = parse(value);
  return { json, changedAt };
}

/** Imports the data of a session, unless it is over or later ones are stored. */
export async function importData(operation: Operation, session: Session, data: TransferredData): Promise<void> {
  const name = operation.keys.data(session.handle);
  if (!isLive(session, operation.now)) return void (await operation.write("del", name));
  if (parse(await operation.command("get", name)).changedAt > data.changedAt) return;
  const value = encode(newNonce(), data.changedAt, data.json);
  await operation.write("set", name, value, "PX", session.expiresAt - operation.now);
}

/** Runs the changes of one session one after the other, so that changes of this process never conflict with each other. */
export class DataChanges {
  readonly #last = new Map<string, Promise<unknown>>();

  async run<T>(handle: string, change: () => Promise<T>): Promise<T> {
    const earlier = this.#last.get(handle);
    const own = earlier === undefined ? change() : earlier.then(change, change);
    this.#last.set(handle, own);
    try {
      return await own;
    } finally {
      if (this.#last.get(handle) === own) this.#last.delete(handle);
    }
  }
}
