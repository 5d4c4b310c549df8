import { isPrintableAscii } from "../../session/text.ts";

/** This decoder does not remove a byte order mark, so that no character of a caller's text is lost. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Decodes bytes (one character each) as UTF-8, or as ISO-8859-1 if they are not UTF-8 (contract.md#header-bytes). */
export function textOfBytes(value: string): string {
  return utf8OfBytes(value) ?? value;
}

/** Decodes the percent-encoded bytes in a part of a target. A `%` without two hexadecimal digits stays. */
export function textOfTarget(part: string): string {
  return textOfBytes(part.replace(ENCODED, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16))));
}

/** Returns the parameters of a query in their order. They are decoded like `textOfTarget`, and `+` is a space. */
export function parametersOf(query: string): URLSearchParams {
  const pairs = query.split("&").filter((pair) => pair !== "");
  return new URLSearchParams(
    pairs.map((pair): [string, string] => {
      const [name = "", ...value] = pair.replaceAll("+", " ").split("=");
      return [textOfTarget(name), textOfTarget(value.join("="))];
    }),
  );
}

const ENCODED = /%[\da-f]{2}/gi;

/** Returns the text of a value that arrived as one character per byte; `undefined` if the bytes are not valid UTF-8. */
export function utf8OfBytes(value: string): string | undefined {
  if (isPrintableAscii(value)) return value;
  try {
    return utf8.decode(Buffer.from(value, "latin1"));
  } catch {
    return undefined;
  }
}
