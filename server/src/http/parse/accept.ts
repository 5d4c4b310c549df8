/**
 * An element of a list, such as `text/html;level="1,2";q=0.5`. A quoted string may contain commas and semicolons; one that
 * is not closed ends with the header, so that matching takes linear time.
 */
const ELEMENT = /(?:[^,"]|"(?:\\.|[^"\\])*(?:"|\\?$))+/g;
/** The weight of an element (RFC 9110, section 12.4.2). */
const WEIGHT = /;[ \t]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)[ \t]*(?:;|$)/i;

/**
 * Returns the media type that the value of `Accept` prefers; the first in `offers` if it prefers none, or accepts none
 * (RFC 9110, section 12.5.1). Of types with equal weights it prefers the one that it names more exactly.
 */
export function preferredType<Type extends string>(accept: string | null, offers: readonly [Type, ...Type[]]): Type {
  const rangesOf = (type: string) => [type, `${type.slice(0, type.indexOf("/"))}/*`, "*/*"];
  return preferred(accept, offers, rangesOf) ?? offers[0];
}

/**
 * Returns the content coding that the value of `Accept-Encoding` prefers; `undefined` if it accepts none of `offers`
 * (RFC 9110, section 12.5.3).
 */
export function preferredCoding<Coding extends string>(
  acceptEncoding: string | null,
  offers: readonly Coding[],
): Coding | undefined {
  return preferred(acceptEncoding, offers, (coding) => [coding, "*"]);
}

/**
 * Returns the offer with the highest weight above 0; `undefined` if there is none. `namesOf` returns the names under which
 * a header can list an offer, the most exact first: only the first one that the header has counts.
 */
function preferred<Offer extends string>(
  header: string | null,
  offers: readonly Offer[],
  namesOf: (offer: Offer) => readonly string[],
): Offer | undefined {
  const weights = weightsIn(header ?? "");
  const rated = offers.map((offer) => {
    const names = namesOf(offer);
    const found = names.findIndex((name) => weights.has(name));
    return { offer, found, weight: weights.get(names[found] ?? "") ?? 0 };
  });
  const [best] = rated
    .filter(({ weight }) => weight > 0)
    .toSorted((one, other) => other.weight - one.weight || one.found - other.found);
  return best?.offer;
}

/** Returns the weight of each element by its name in lower case. Parameters other than the weight are ignored. */
function weightsIn(header: string): ReadonlyMap<string, number> {
  const elements = header.match(ELEMENT) ?? [];
  return new Map(
    elements.map((element) => {
      const [name = ""] = element.split(";", 1);
      return [name.trim().toLowerCase(), Number(WEIGHT.exec(element)?.[1] ?? 1)];
    }),
  );
}
