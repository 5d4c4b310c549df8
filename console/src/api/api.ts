import { type AdministrationClient, createAdministration, type ProblemError } from "@antechamber/client/administration";
import { createTransport, type Fetch, type Transport } from "@antechamber/client/transport";
import { apiPath, hrefOf, navigate, path } from "../router.ts";

/**
 * Sends a request to the API. The header, which pages of other sites cannot send, proves to the server that the console
 * sent it.
 */
export const consoleFetch: Fetch = async (input, init) => {
  const headers = new Headers(init?.headers);
  headers.set("antechamber-console", "1");
  const response = await fetch(input, { ...init, headers, credentials: "same-origin" });
  if (response.status === 401) askForSignIn();
  return response;
};

/** The address of the API: an empty path is not an address for the client. */
export const apiUrl: string = location.origin + apiPath;

const options = { url: apiUrl, fetch: consoleFetch, timeout: 20_000 };

/** The operations of the API for administration. All calls of the console go through this, `sessions` or `callApi`. */
export const administration: AdministrationClient = createAdministration(options);

/** The operations of the API on sessions. */
export const sessions: Transport = createTransport(options);

/** The page where people sign in. */
const SIGN_IN = "sign-in";

/** Leads to the sign-in, which afterwards leads back to this place. */
function askForSignIn(): void {
  if (path.peek() === SIGN_IN) return;
  navigate(hrefOf(SIGN_IN, { next: path.peek() + location.search }), { replace: true });
}

/** Messages for failures about which a reader of the console can do more than the API's own sentence says. */
const messages: Partial<Record<ProblemError["code"], string>> = {
  network: "The service does not respond. Check your connection; the console tries again by itself.",
  timeout: "The service did not respond in time. Try again, or narrow the filters.",
  "role-not-permitted": "Your role does not permit this. Ask an administrator.",
  "unexpected-answer": "The response is not from Antechamber. A proxy in front of it may be misconfigured.",
};

/** Returns a sentence for people about a failed call. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return "Something failed for an unknown reason.";
  const { code, problem, message } = error as Partial<ProblemError> & Error;
  const faults = problem?.errors?.map(({ name, detail }) => `${name}: ${detail}`).join(" ");
  return faults || (code && messages[code]) || problem?.detail || message;
}

/** Returns whether the reason of a failure is that the caller was left, and not a fault. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}
