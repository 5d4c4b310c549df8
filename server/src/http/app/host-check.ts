import type { HttpRequest } from "@antechamber/http1";
import { Refusal } from "../../session/errors.ts";

const LOCAL_HOST = /^(?:(?:[\w-]{1,63}\.)*localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;

/**
 * Refuses a request that names another host than this machine (contract.md#mode-local). A web page can make its own
 * name point to 127.0.0.1 (DNS rebinding), and a browser then lets it read the responses; but it cannot make the
 * browser send another `Host`, or none. Only HTTP/1.0 requests have no host, such as health checks of HAProxy; one
 * with an `Origin` comes from a page and is refused.
 */
export function createHostCheck(): (request: HttpRequest) => void {
  let lastAllowed: string | undefined;
  return (request) => {
    const host = request.header("host");
    if (host === lastAllowed) return;
    if (host === null && request.header("origin") === null) return;
    if (host === null || !LOCAL_HOST.test(host)) {
      const detail =
        "Host must name this machine: localhost, 127.0.0.1 or [::1]. To serve other names, configure another auth mode.";
      throw new Refusal({
        code: "invalid-request",
        errors: [{ in: "header", name: "Host", detail }],
      });
    }
    lastAllowed = host;
  };
}
