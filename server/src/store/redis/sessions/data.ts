import { changeData, NO_DATA } from "../../../session/data.ts";
import { isRenewalDue } from "../../../session/lifetime.ts";
import { isReached } from "../../../session/permissions.ts";
import { isLive } from "../../../session/session.ts";
import type { DataRequest, DataResult, SessionWithData } from "../../ports/data.ts";
import { refusal } from "../connection/connection.ts";
import type { Operation } from "../engine.ts";
import { newNonce } from "../layout/nonce.ts";
import { decode } from "../layout/session-codec.ts";
import { scripts } from "../scripts/scripts.ts";
import { encodeScope, sessionArgs, sessionKeys } from "./session-scripts.ts";
import { findWith, sessionIn } from "./sessions.ts";

/*
 * The data of a session are a key of their own, whose value is a version, a line break and the JSON text. The version is
 * the nonce of the request that stored them. A change is computed here and stored by a script, if the version is still
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
  return { session, data: decodeData(more) };
}

/** Changes the data of a session, and renews it. Sends one command if there is nothing to change, usually two. */
export async function changeSessionData(operation: Operation, request: DataRequest): Promise<DataResult> {
  const { handle, generation, scope, change, preconditions, now } = request;
  const { keys, engine } = operation;
  const { lifetimes } = engine.policy;
  await engine.renewals.of(handle);
  const queue = engine.queueOf(handle);
  const names = [...sessionKeys(operation, handle), keys.data(handle), keys.setAside(handle), queue];
  const nonce = newNonce();
  let [text, value] = (await operation.command("mget", keys.session(handle), keys.data(handle))) as unknown[];
  for (;;) {
    const session = sessionIn(operation, handle, text);
    if (!isLive(session, now) || !isReached(session, generation, scope)) return { outcome: "absent" };
    const { version, json } = parse(value);
    const result = changeData(json, change, preconditions);
    if (result.outcome !== "changed") return result;
    if (result.json === json && !isRenewalDue(session, now, lifetimes)) return { ...result, session };
    const args = [...sessionArgs(operation, handle), encodeScope(scope), generation ?? "", version, nonce, result.json];
    const reply = await operation.change(scripts.changeData, names, args);
    const [outcome, stored, more] = reply as [string, string | null, string | null];
    if (outcome === "absent") return { outcome };
    if (outcome === "changed") {
      engine.notes.take(queue, more);
      return { ...result, session: decode(handle, String(stored)) };
    }
    if (operation.isUncertain) throw refusal(operation, undefined);
    [text, value] = [stored, more];
  }
}

/** Encodes imported data. */
export function encodeData(json: string): string {
  return `${newNonce()}\n${json}`;
}

/** Returns the data in the value of their key. */
export function decodeData(value: unknown): string {
  return parse(value).json;
}

/** Parses the value of a session's data; `null` if there are none. */
function parse(value: unknown): { readonly version: string; readonly json: string } {
  if (typeof value !== "string") return { version: "", json: NO_DATA };
  const end = value.indexOf("\n");
  return { version: value.slice(0, end), json: value.slice(end + 1) };
}

/** Lets the changes of one session follow each other, so that those of this process are never computed in vain. */
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
