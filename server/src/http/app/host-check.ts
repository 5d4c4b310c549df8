import type { HttpRequest } from "@antechamber/http1";
import { Refusal } from "../../session/errors.ts";

const LOCAL_HOST = /^(?:(?:[\w-]{1,63}\.)*localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;

/**
 * Creates the check that refuses requests whose `Host` does not name this machine (contract.md#mode-local). It prevents
 * DNS rebinding: the owner of a web page makes the page's own host name point to 127.0.0.1, so that the browser lets
 * the page read the responses of this service. The browser then sends that host name in `Host`; a page cannot make it
 * send another one, or none. Requests without `Host` are allowed, because HAProxy sends its health checks as HTTP/1.0
 * without `Host`. If such a request has an `Origin`, it comes from a web page and is refused.
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
