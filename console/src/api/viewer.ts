import type { ConsoleRight, ConsoleSessionInfo, Role } from "@antechamber/client/protocol";
import { type Signal, signal } from "@preact/signals";
import { apiUrl, askForSignIn, consoleFetch } from "./api.ts";

export type { Role } from "@antechamber/client/protocol";

/** A way in which people sign in. */
type SignInMethod = ConsoleSessionInfo["signIn"];

/** The person at the console. */
export interface Viewer {
  readonly role: Role;
  /** Name of the API key or account; `null` without one. */
  readonly name: string | null;
  /** Address of a trace, with `{traceId}` in it; `null` if none is configured. */
  readonly traceUrl: string | null;
  readonly signIn: SignInMethod;
  /** The rights of the role besides reading sessions. */
  readonly may: readonly ConsoleRight[];
}

/** The person at the console; `undefined` until it is known, and while nobody is signed in. */
export const viewer: Signal<Viewer | undefined> = signal(undefined);

/** How people sign in; `undefined` until it is known. `no-role`: the server knows the person, whose role may not sign in. */
export const signInMethod: Signal<SignInMethod | "no-role" | undefined> = signal(undefined);

/** Asks the server who is at the console, and shows the sign-in if nobody is. Resolves with whether somebody is. */
export async function loadViewer(): Promise<boolean> {
  const response = await consoleFetch(`${apiUrl}/console/viewer`, { headers: { accept: "application/json" } });
  if (response.status === 403) return isUnknown("no-role");
  if (!response.ok) throw new Error(`The service responded with ${response.status}.`);
  const info = (await response.json()) as ConsoleSessionInfo;
  if (!info.isSignedIn) return isUnknown(info.signIn);
  signInMethod.value = info.signIn;
  viewer.value = info;
  return true;
}

function isUnknown(method: SignInMethod | "no-role"): boolean {
  viewer.value = undefined;
  signInMethod.value = method;
  askForSignIn();
  return false;
}

const RETRY_MS = 5000;

/** Calls `loadViewer` until the service responds. */
export async function loadFirstViewer(): Promise<void> {
  try {
    await loadViewer();
  } catch {
    setTimeout(() => void loadFirstViewer(), RETRY_MS);
  }
}

/** Signs out, also in other tabs, which notice it at their next request. */
export async function signOut(): Promise<void> {
  await consoleFetch(`${apiUrl}/console/sign-out`, { method: "POST" });
  viewer.value = undefined;
  askForSignIn();
}

/** Time (ms) between two renewals of the sign-in. */
const RENEWAL_MS = 5 * 60_000;

/** Renews the sign-in while the person uses the console. Requests that the console repeats by itself do not renew it. */
export function keepSignedIn(): void {
  let renewedAt = Date.now();
  const renew = () => {
    const isNeeded = viewer.peek() !== undefined && !["none", "proxy"].includes(viewer.peek()?.signIn ?? "none");
    if (!isNeeded || Date.now() - renewedAt < RENEWAL_MS) return;
    renewedAt = Date.now();
    loadViewer().catch(() => undefined);
  };
  for (const type of ["pointerdown", "keydown"]) addEventListener(type, renew, { passive: true });
}
