import { handleIn } from "../../api/session-names.ts";
import { hrefOf, navigate } from "../../router.ts";
import { notifyFailure } from "../../ui/status.tsx";

/** API keys, secrets of webhooks and view tokens, which must not get into an address. */
const SECRET = /\b(?:ak_[\w-]{40}|whsec_|vt_[\w-]{40})/;

/**
 * Opens the page for a pasted or typed text: the session if the text contains a handle or a session id, else a search
 * for it as an id of any kind. A session id never goes into the address: only its handle does.
 */
export function lookUp(text: string): void {
  const wanted = text.trim();
  if (wanted === "") return;
  if (SECRET.test(wanted)) {
    notifyFailure("This looks like an API key or another secret. It was not searched for.");
    return;
  }
  const handle = handleIn(wanted);
  navigate(handle === undefined ? hrefOf("search", { q: wanted }) : hrefOf("sessions", { handle }));
}
