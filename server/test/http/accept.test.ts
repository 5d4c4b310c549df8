// runs: once

import assert from "node:assert/strict";
import { test } from "node:test";
import { preferredCoding, preferredType } from "../../src/http/parse/accept.ts";

/** Values of `Accept`, and which of a stream (the usual form) and lines they ask for. */
const types: readonly [accept: string | null, form: "stream" | "lines"][] = [
  [null, "stream"],
  ["", "stream"],
  ["*/*", "stream"],
  ["text/html", "stream"],
  ["text/event-stream", "stream"],
  ["application/x-ndjson", "lines"],
  ["Application/X-NDJSON ; q=0.001", "lines"],
  ["application/x-ndjson;charset=utf-8", "lines"],
  ["application/*", "lines"],
  ["application/x-ndjson, */*", "lines"],
  ["text/event-stream;q=0.5, application/x-ndjson;q=0.6", "lines"],
  ["text/event-stream;q=0.6, application/x-ndjson;q=0.5", "stream"],
  // RFC 9110, section 12.4.2: a weight of 0 means "not acceptable".
  ["application/x-ndjson;q=0", "stream"],
  ["application/x-ndjson;\tQ=0.000", "stream"],
  ["application/x-ndjson;q=0, */*;q=0.1", "stream"],
  ["text/event-stream;q=0, */*;q=0.1", "lines"],
  ["application/x-ndjson;q=0, application/*", "stream"],
  // Not the type, but a part of another one or of a quoted string.
  ["application/x-ndjson-seq", "stream"],
  ['text/html;a="b, application/x-ndjson"', "stream"],
  ['text/html;a="\\", application/x-ndjson', "stream"],
  ['text/html;a="\\"", application/x-ndjson', "lines"],
];

for (const [accept, form] of types) {
  test(`Accept: ${accept} asks for ${form}`, () => {
    const wanted = form === "lines" ? "application/x-ndjson" : "text/event-stream";
    assert.equal(preferredType(accept, ["text/event-stream", "application/x-ndjson"]), wanted);
  });
}

/** Values of `Accept-Encoding`, and the coding that they prefer of br and gzip. */
const codings: readonly [acceptEncoding: string | null, coding: "br" | "gzip" | undefined][] = [
  [null, undefined],
  ["identity", undefined],
  ["gzip, deflate, br, zstd", "br"],
  ["gzip;q=1.0, br;q=0.5", "gzip"],
  ["br;q=0, GZIP", "gzip"],
  ["br;q=0.0, *", "gzip"],
  ["*;q=0", undefined],
  ["brotli", undefined],
];

for (const [acceptEncoding, coding] of codings) {
  test(`Accept-Encoding: ${acceptEncoding} prefers ${coding ?? "no coding"}`, () => {
    assert.equal(preferredCoding(acceptEncoding, ["br", "gzip"]), coding);
  });
}
