import { type AdministrationClient, createAdministration } from "@antechamber/client/administration";
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

/** The address of the API. It is absolute, because the client accepts no empty path. */
export const apiUrl: string = location.origin + apiPath;

const options = { url: apiUrl, fetch: consoleFetch, timeout: 20_000 };

/** The operations of the API for administration. All calls of the console go through this, `sessions` or `callApi`. */
export const administration: AdministrationClient = createAdministration(options);

/** The operations of the API on sessions. */
export const sessions: Transport = createTransport(options);

/** The page where people sign in. */
const SIGN_IN = "sign-in";

/** Opens the sign-in, which returns to the current page afterwards. */
export function askForSignIn(): void {
  if (path.peek() === SIGN_IN) return;
  navigate(hrefOf(SIGN_IN, { next: path.peek() + location.search }), { replace: true });
}
