import { z } from "zod";
import { listOf, orNull, printable, refusing, text, trimmed, word, yesOrNo } from "../kinds.ts";
import type { Setting } from "../setting.ts";
import { faultOfCookieDomain, parseDuration } from "../values.ts";

const DAY = 24 * 60 * 60 * 1000;

/** The settings of `/forward-auth`: its response, its cookie and the signed identity. */
export const forwardAuthSettings = {
  forwardAuth: {
    ...word("mode", ["create", "required"]),
    default: "create",
    description:
      "Response of /forward-auth to a request without a live session: create creates one, required refuses the request with 401",
  },
  forwardAuthSources: {
    schema: listOf(z.string())
      .pipe(z.array(z.enum(["header", "cookie", "query"])))
      .refine((all) => all.length > 0, "none is named"),
    allowed: "header, cookie and query, at least one of them, each once",
    placeholder: "source",
    isList: true,
    default: "header,cookie",
    description:
      "Where /forward-auth looks for a session id, in this order: the header gkc-sessionId, the cookie, the query parameter sessionId; anybody can put the id of their own session into a link, so name query only if clients have no other way",
  },
  cookieName: {
    schema: trimmed.regex(/^[!#$%&'*+\-.^_`|~\dA-Za-z]{1,100}$/),
    allowed: "1 to 100 letters, digits and ! # $ % & ' * + - . ^ _ ` | ~",
    placeholder: "name",
    default: "sessionId",
    description:
      "Name of the cookie that /forward-auth reads and sets; with a prefix such as __Host- it is always Secure",
  },
  cookieDomain: {
    schema: trimmed
      .transform((name) => name.replace(/^\./, "").toLowerCase())
      .pipe(refusing(z.string(), faultOfCookieDomain)),
    allowed: "a domain name such as shop.example",
    placeholder: "domain",
    parse: orNull,
    default: "",
    description:
      "Domain of the cookie that /forward-auth sets: it and all its subdomains get the cookie; without it, only the requested host does",
  },
  cookieSameSite: {
    ...word("which", ["lax", "strict", "none"]),
    default: "lax",
    description:
      "The SameSite attribute of the cookie that /forward-auth sets; with none the cookie is always Secure, since browsers drop it otherwise",
  },
  cookieMaxAge: {
    schema: trimmed.refine((raw) => {
      const milliseconds = parseDuration(raw) ?? 0;
      const isWhole = milliseconds > 0 && milliseconds % 1000 === 0;
      // Browsers limit the lifetime of a cookie to 400 days (RFC 6265bis, section 5.5).
      return raw === "none" || (isWhole && milliseconds <= 400 * DAY);
    }),
    allowed: "none, or a duration in whole seconds, 1s to 400d, up to recognizedLifetime or the longest of profiles",
    placeholder: "duration",
    parse: (raw: string) => parseDuration(raw) ?? null,
    default: "none",
    description:
      "Time for which browsers keep the cookie that /forward-auth sets, from the creation of its session; none: until the browser is closed",
  },
  cookieHttpOnly: {
    ...yesOrNo,
    default: "true",
    description:
      "Whether the cookie that /forward-auth sets is hidden from scripts; false lets the browser client use the same session",
  },
  assertionAudience: {
    schema: printable,
    allowed: "text, usually the URL of the site or the name of the applications",
    placeholder: "audience",
    parse: orNull,
    default: "",
    description:
      "The value of aud in the signed identity (JWT) that /forward-auth adds in the header gkc-assertion; without it there is no such header",
  },
  assertionIssuer: {
    schema: text,
    allowed: "text, usually a URL",
    placeholder: "issuer",
    default: "antechamber",
    description: "The value of iss in the signed identity; it needs assertionAudience",
  },
} as const satisfies Record<string, Setting>;
