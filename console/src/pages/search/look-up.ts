import { handleIn } from "../../api/session-names.ts";
import { hrefOf, navigate } from "../../router.ts";

/**
 * Leads to what a pasted or typed text names: to the session if it has a handle or a session id in it, else to a search
 * for it as an id of any kind. A session id never goes into the address: only its handle does.
 */
export function lookUp(text: string): void {
  const wanted = text.trim();
  if (wanted === "") return;
  const handle = handleIn(wanted);
  navigate(handle === undefined ? hrefOf("search", { q: wanted }) : hrefOf("session", { handle }));
}
