import { createHttpSender, HttpTimeout } from "../http/send.ts";
import { createCircuitBreaker } from "../middleware/circuit-breaker.ts";
import { errorFromResponse, isUnanswered, ProblemError } from "../problem-error.ts";

/** A request of a session store to the service. */
export interface StoreRequest {
  readonly method: "GET" | "PUT" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  /** The body as JSON text. */
  readonly body?: string;
  /** Media type of the body; `application/json` by default. */
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface StoreResponse {
  readonly text: string;
  /** The entity tag; `undefined` if the response has none. */
  readonly etag: string | undefined;
}

/** Sends a request. Rejects with a `ProblemError` for a refusal, and if there is no response in time. */
export type SendStoreRequest = (request: StoreRequest) => Promise<StoreResponse>;

export interface HttpCallsOptions {
  readonly url: string | URL;
  readonly key: string | undefined;
  /** Time limit of a call in milliseconds. */
  readonly timeout: number;
}

/**
 * Creates the function that sends requests. While the service is unavailable, most calls fail at once instead of after the
 * time limit.
 */
export function createHttpCalls({ url, key, timeout }: HttpCallsOptions): SendStoreRequest {
  const send = createHttpSender(new URL(url));
  const common: Record<string, string> = key ? { authorization: `Bearer ${key}` } : {};
  const breaker = createCircuitBreaker();

  return async ({ method, path, body, type = "application/json", headers: own }) => {
    if (!breaker.allowsCall()) throw new ProblemError({ code: "unavailable", detail: "Antechamber is unavailable" });
    const headers = { ...common, ...own, ...(body === undefined ? {} : { "content-type": type }) };
    try {
      const { status, headers: received, text } = await send({ method, path, headers, body }, { timeout });
      if (status < 200 || status > 299) throw errorFromResponse({ status, headers: received }, text);
      breaker.recordSuccess();
      return { text, etag: received.get("etag") ?? undefined };
    } catch (cause) {
      const error = asProblem(cause);
      if (isUnanswered(error)) breaker.recordFailure();
      else breaker.recordSuccess();
      throw error;
    }
  };
}

function asProblem(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  return new ProblemError({ code: error instanceof HttpTimeout ? "timeout" : "network", cause: error });
}
