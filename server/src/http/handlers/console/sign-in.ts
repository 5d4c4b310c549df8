import type { ConsoleSessionInfo } from "@antechamber/client/protocol";
import type { HttpRequest } from "@antechamber/http1";
import type { Config } from "../../../config/config.ts";
import type { AuditTrail } from "../../../services/audit.ts";
import { Refusal } from "../../../session/errors.ts";
import { consoleRoles, type Principal } from "../../../session/permissions.ts";
import { type ApiResponse, json } from "../../api-response.ts";
import type { Authenticate, CredentialSource } from "../../auth/api-key-auth.ts";
import type { ConsoleAccess } from "../../auth/console-access.ts";
import { requireConsole } from "../../auth/console-cookie.ts";
import { CONSOLE_IDLE_MS } from "../../auth/console-sessions.ts";
import type { Call } from "../../call.ts";
import { memberOf, readJsonObject, refuseFaults } from "../../parse/bodies.ts";
import { MAX_BODY_BYTES } from "../../parse/identity.ts";
import { type InitiatorOf, noContent } from "../administration.ts";
import { mayOf } from "./rights.ts";

export interface SignInHandlerParts {
  readonly access: ConsoleAccess;
  readonly authenticate: Authenticate;
  readonly config: Pick<Config, "auth" | "traceUrl">;
  readonly version: string;
  readonly trail: Pick<AuditTrail, "append" | "appendRefusal">;
  readonly initiatorOf: InitiatorOf;
}

/** Creates the handlers by which people sign in to the console and out (decision 0071). */
export function createSignInHandlers(parts: SignInHandlerParts) {
  const { access, authenticate, config, version, trail, initiatorOf } = parts;
  const { sessions, provider } = access;

  /** Returns how people sign in. */
  const signIn = config.auth === "jwt" ? (provider === undefined ? "token" : "provider") : ofMode[config.auth];

  /** Begins a session in the console. Refuses with `role-not-permitted` a role that may not use it. */
  async function begin(
    request: HttpRequest,
    principal: Principal,
    more: { readonly name: string | null; readonly endsAt: number | null },
  ): Promise<string> {
    const act = { ...initiatorOf(principal, request), what: "console.sign-in", details: {} };
    if (!isAllowed(principal)) {
      trail.appendRefusal(act);
      throw new Refusal({ code: "role-not-permitted", allowed: consoleRoles });
    }
    const cookie = sessions.begin(request, principal, more);
    await trail.append(act, "done");
    return cookie;
  }

  return {
    /** Responds with who is at the console, also if nobody is signed in. Renews the cookie. */
    async session({ request }: Call): Promise<ApiResponse> {
      const signedIn = signIn === "none" || signIn === "proxy" ? undefined : sessions.find(request);
      const principal = signedIn?.principal ?? (await principalOf(authenticate, request));
      if (principal === undefined) return json({ isSignedIn: false, signIn } satisfies ConsoleSessionInfo);
      if (!isAllowed(principal)) throw new Refusal({ code: "role-not-permitted", allowed: consoleRoles });
      const { role, agentId } = principal;
      const info: ConsoleSessionInfo = {
        isSignedIn: true,
        signIn,
        ...{ version, role, agentId },
        name: signedIn?.session.name ?? keyNameOf(principal),
        endsAt: signedIn === undefined ? null : new Date(signedIn.session.endsAt).toISOString(),
        idleSeconds: signedIn === undefined ? null : CONSOLE_IDLE_MS / 1000,
        traceUrl: config.traceUrl,
        may: mayOf(role),
      };
      const cookie = signedIn && sessions.renew(request, signedIn.session);
      return cookie === undefined ? json(info) : withCookie(json(info), cookie);
    },

    /** Exchanges an API key or a token for a cookie. */
    async signIn({ request }: Call): Promise<ApiResponse> {
      if (signIn === "none" || signIn === "proxy") throw new Refusal({ code: "not-found" });
      requireConsole(request);
      const credential = memberOf(await readJsonObject(request, MAX_BODY_BYTES), "credential");
      if (typeof credential !== "string" || !/^[\x21-\x7e]{1,16000}$/.test(credential)) {
        refuseFaults([{ in: "body", name: "credential", detail: "credential is not an API key or a token." }]);
      }
      const principal = await authenticate(withBearer(request, String(credential)));
      if (principal.view !== undefined) throw new Refusal({ code: "invalid-credential" });
      const endsAt = config.auth === "jwt" ? expiryOf(String(credential)) : null;
      return withCookie(noContent, await begin(request, principal, { name: null, endsAt }));
    },

    /** Removes the cookie, and refuses it from now on. */
    async signOut({ request }: Call): Promise<ApiResponse> {
      requireConsole(request);
      const signedIn = sessions.find(request);
      const cookie = await sessions.end(request);
      if (signedIn !== undefined) {
        const act = { ...initiatorOf(signedIn.principal, request), what: "console.sign-out", details: {} };
        await trail.append(act, "done");
      }
      return withCookie(noContent, cookie);
    },

    /** Redirects the browser to the identity provider. */
    async toProvider({ request }: Call): Promise<ApiResponse> {
      if (provider === undefined) throw new Refusal({ code: "not-found" });
      const next = safePath(new URLSearchParams(request.query).get("next"));
      const begun = await provider.begin();
      if (begun === undefined) return redirect(failure("unavailable", next));
      const content = { ...begun.pending, next, until: access.wallClock() + PENDING_MS };
      return withCookie(
        redirect(begun.location),
        access.pendingCookie.set(request, access.pendingSigner.sign(content)),
      );
    },

    /** Completes a sign-in when the identity provider redirects the browser back. */
    async callback({ request }: Call): Promise<ApiResponse> {
      if (provider === undefined) throw new Refusal({ code: "not-found" });
      const removal = access.pendingCookie.remove(request);
      const pending = pendingOf(request, access);
      if (pending === undefined) return withCookie(redirect(failure("expired", "")), removal);
      const result = await provider.complete(new URLSearchParams(request.query), pending);
      if (result.outcome === "failed") return withCookie(redirect(failure(result.reason, pending.next)), removal);
      try {
        const cookie = await begin(request, result.principal, result);
        // The cookie of the pending sign-in stays until it expires. It is harmless: its code and state are used up.
        return withCookie(redirect(`./${pending.next}`), cookie);
      } catch (error) {
        if (!(error instanceof Refusal) || error.reason.code !== "role-not-permitted") throw error;
        return withCookie(redirect(failure("no-role", pending.next)), removal);
      }
    },
  };
}

/** Time (ms) that a person may take at the identity provider. */
const PENDING_MS = 10 * 60_000;

const ofMode = { local: "none", key: "key", proxy: "proxy" } as const;

interface Pending {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  /** The path below `/console/` that the person wanted to open. */
  readonly next: string;
  /** Unix ms. */
  readonly until: number;
}

function pendingOf(
  request: HttpRequest,
  { pendingCookie, pendingSigner, wallClock }: ConsoleAccess,
): Pending | undefined {
  for (const value of pendingCookie.valuesIn(request)) {
    const pending = pendingSigner.open(value) as Pending | undefined;
    if (pending !== undefined && wallClock() < pending.until) return pending;
  }
  return undefined;
}

function isAllowed(principal: Principal): boolean {
  return consoleRoles.includes(principal.role) && principal.view === undefined;
}

/** Returns the caller of a request, or `undefined` if it has no valid credential. */
async function principalOf(authenticate: Authenticate, request: HttpRequest): Promise<Principal | undefined> {
  try {
    return await authenticate(request);
  } catch (error) {
    const isRefused = error instanceof Refusal && error.reason.code !== "unavailable";
    if (isRefused) return undefined;
    throw error;
  }
}

/** Returns the name of an API key; `null` for other credentials. */
function keyNameOf(principal: Principal & { readonly name?: unknown }): string | null {
  return typeof principal.name === "string" ? principal.name : null;
}

/** Returns the request as if its credential were `credential`. */
function withBearer(request: CredentialSource, credential: string): CredentialSource {
  const header = (name: string) => {
    if (name === "authorization") return `Bearer ${credential}`;
    return name === "x-api-key" ? null : request.header(name);
  };
  return { peer: request.peer, header };
}

/** Returns when a verified token expires (Unix ms). */
function expiryOf(token: string): number {
  const payload = Buffer.from(token.split(".")[1] ?? "", "base64url").toString();
  return (JSON.parse(payload) as { exp: number }).exp * 1000;
}

/** Returns a path below `/console/` without anything that could lead elsewhere; "" for any other text. */
function safePath(text: string | null): string {
  const isSafe = text !== null && /^[\w-][\w\-.~%!$&'()*+,;=@/?]{0,1000}$/.test(text);
  return isSafe && !/\.\.|\/\//.test(text.replace(/%2e/gi, ".")) ? text : "";
}

function failure(problem: string, next: string): string {
  return `./sign-in?${new URLSearchParams({ problem, ...(next !== "" && { next }) }).toString()}`;
}

function redirect(location: string): ApiResponse {
  const headers = { ...noContent.headers, "referrer-policy": "no-referrer", location };
  return { status: 302, headers, body: null };
}

function withCookie(response: ApiResponse, cookie: string): ApiResponse {
  return { ...response, headers: { ...response.headers, "set-cookie": cookie } };
}
