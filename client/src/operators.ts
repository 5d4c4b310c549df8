import type { CallOptions, SendRequest } from "./call.ts";
import { ProblemError } from "./problem-error.ts";
import type {
  ApiKeyInfo,
  ApiKeyPage,
  ApiKeyRequest,
  ApiKeyRotation,
  AuditLine,
  AuditPage,
  AuditVerification,
  AuditVerificationPage,
  Configuration,
  CreatedApiKey,
  Health,
  RevokedApiKey,
  RotatedApiKey,
  SettingInfo,
  ViewToken,
  ViewTokenRequest,
} from "./protocol.ts";

/** Which API keys to list. */
export interface ApiKeyListOptions extends CallOptions {
  readonly status?: ApiKeyInfo["status"] | undefined;
  /** Maximum number of keys in one response, 1 to 1,000; 100 by default. It does not limit the keys that are yielded. */
  readonly limit?: number | undefined;
}

/** Operations on API keys. A call about an unknown key rejects with `not-found`. */
export interface ApiKeyAdministration {
  /** Yields the keys, oldest first. Each page is requested only when needed. */
  list(options?: ApiKeyListOptions): AsyncGenerator<ApiKeyInfo, void>;
  /** Returns one page of keys; `cursor` is the `next` of the previous one. */
  page(options?: ApiKeyListOptions & { readonly cursor?: string | undefined }): Promise<ApiKeyPage>;
  /** Creates a key. The result has its secret, which is shown only now. Not repeated after a failure. */
  create(key: ApiKeyRequest, options?: CallOptions): Promise<CreatedApiKey>;
  /** Creates a key that replaces another; for a while both are valid. Not repeated after a failure. */
  rotate(id: string, rotation?: ApiKeyRotation, options?: CallOptions): Promise<RotatedApiKey>;
  /** Revokes a key: it is refused from now on. */
  revoke(id: string, options?: CallOptions): Promise<RevokedApiKey>;
}

/** Which entries of the audit trail to read. A condition that is `undefined` has no effect. */
export interface AuditFilter {
  /** An API key (id or name), an agent, or a user of the operating system. */
  readonly actor?: string | undefined;
  /** An operation such as `customer.erase`, or the word before its dot. */
  readonly action?: string | undefined;
  /** ISO 8601 with a time zone, inclusive. */
  readonly since?: string | undefined;
  /** ISO 8601 with a time zone, exclusive. */
  readonly until?: string | undefined;
  readonly customerId?: string | undefined;
  /** A handle or the id of a session. */
  readonly session?: string | undefined;
}

export interface AuditOptions extends CallOptions, AuditFilter {
  /** Maximum number of entries in one response, 1 to 1,000; 100 by default. */
  readonly limit?: number | undefined;
}

/** Options for checking the audit trail. */
export interface VerifyOptions extends CallOptions {
  /** Hash of an entry that you noted at an earlier check. The result says whether the trail still has this entry. */
  readonly expect?: string | undefined;
  /** Called after each part of the trail, with the number of entries that were checked. */
  readonly onProgress?: ((entries: number) => void) | undefined;
}

/** Operations for administrators: API keys, the audit trail, view tokens, settings and state. */
export interface OperatorCalls {
  readonly keys: ApiKeyAdministration;
  /** Yields the entries of the audit trail that meet all conditions, newest first. Requests each page when needed. */
  audit(options?: AuditOptions): AsyncGenerator<AuditLine, void>;
  /** Returns one page of the audit trail. It can be empty although there are more entries: see `next`. */
  auditPage(options?: AuditOptions & { readonly cursor?: string | undefined }): Promise<AuditPage>;
  /** Checks the whole audit trail, part by part. */
  verifyAudit(options?: VerifyOptions): Promise<AuditVerification>;
  /**
   * Creates a token for a page of, for example, a support tool, which shows one session or the sessions of one customer.
   * Needs a key with the role `service` or `administrator`.
   */
  createViewToken(view: ViewTokenRequest, options?: CallOptions): Promise<ViewToken>;
  /** Returns the settings of the process that responds; secrets are masked. */
  configuration(options?: CallOptions): Promise<readonly SettingInfo[]>;
  /** Returns the state of the process that responds. */
  health(options?: CallOptions): Promise<Health>;
}

/** Maximum number of faults in the result of `verifyAudit`. */
const MAX_FAULTS = 100;

/**
 * Creates these operations. `sendOnce` sends a request without repeating it, because a repetition of `create` or `rotate`
 * would leave a key whose secret nobody knows.
 */
export function createOperatorCalls(send: SendRequest, sendOnce: SendRequest): OperatorCalls {
  const at = (id: string, rest = "") => `/api-keys/${encodeURIComponent(id)}${rest}`;
  const get = <T>(path: string, signal: AbortSignal | undefined) => send<T>({ method: "GET", path, signal });

  const page: ApiKeyAdministration["page"] = ({ signal, ...query } = {}) =>
    get<ApiKeyPage>(`/api-keys${queryOf(query)}`, signal);
  const auditPage: OperatorCalls["auditPage"] = ({ signal, ...query } = {}) =>
    get<AuditPage>(`/audit${queryOf(query)}`, signal);

  return {
    keys: {
      async *list(options = {}) {
        for (let cursor: string | null | undefined; cursor !== null; ) {
          const { keys, next }: ApiKeyPage = await page({ ...options, cursor });
          yield* keys;
          cursor = next;
        }
      },
      page,
      create: (body, { signal } = {}) => sendOnce({ method: "POST", path: "/api-keys", body, signal }),
      rotate: (id, body = {}, { signal } = {}) => sendOnce({ method: "POST", path: at(id, "/rotate"), body, signal }),
      revoke: (id, { signal } = {}) => send({ method: "DELETE", path: at(id), signal }),
    },
    async *audit(options = {}) {
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const { entries, next }: AuditPage = await auditPage({ ...options, cursor });
        yield* entries;
        cursor = next;
      }
    },
    auditPage,
    async verifyAudit({ expect, onProgress, signal } = {}) {
      let sum: AuditVerification | undefined;
      for (let after: string | null | undefined; after !== null; ) {
        const { next, ...part }: AuditVerificationPage = await get(
          `/audit/verify${queryOf({ expect, after })}`,
          signal,
        );
        sum = {
          ...part,
          faults: [...(sum?.faults ?? []), ...part.faults].slice(0, MAX_FAULTS),
          faultCount: (sum?.faultCount ?? 0) + part.faultCount,
          isExpectedFound: part.isExpectedFound === null ? null : part.isExpectedFound || sum?.isExpectedFound === true,
        };
        onProgress?.(part.entries);
        after = next;
      }
      if (sum === undefined) throw new ProblemError({ code: "unexpected-answer", status: 200 });
      return sum;
    },
    createViewToken: (body, { signal } = {}) => send({ method: "POST", path: "/view-tokens", body, signal }),
    configuration: async ({ signal } = {}) => (await get<Configuration>("/configuration", signal)).settings,
    health: ({ signal } = {}) => get("/health", signal),
  };
}

/** Returns a query with these parameters. Throws a `TypeError` for an empty value, which would select everything. */
function queryOf(parameters: Readonly<Record<string, string | number | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value === "") throw new TypeError(`${name} is empty: give it a value, or leave it out`);
    if (value !== undefined) query.set(name, String(value));
  }
  return query.size === 0 ? "" : `?${query.toString()}`;
}
