import type { BodyWriter } from "@antechamber/http1";
import type { OpenedSession } from "../../../services/sessions.ts";
import { maxLengthOf, sessionInfo, sessionInfoWithData } from "../../../wire/session-info.ts";
import { apiFields } from "../../api-response.ts";
import type { SessionForm } from "../sessions.ts";

const SUCCESS = '"status":{"code":0}';

/**
 * The form of a session in the dialects 8.5.1 and `current`: `SessionInfo` with the additional members `response`,
 * which is the `SessionInfo` again, and `status`. The clients of these dialects read `sessionId` at the top level, and
 * the rest in `response`.
 */
export const envelopeOfV1: SessionForm = formOf(
  () => apiFields,
  (info) => `${info.slice(0, -1)},"response":${info},${SUCCESS}}`,
);

/** The header from which clients of v2 read the session's id; they ignore the id in the body. */
const SESSION_ID_FIELD = "gkc_sessionid";

/** The form of dialect v2: an object with `data` (the `SessionInfo`) and `status`. A header has the session id too. */
export const envelopeOfV2: SessionForm = formOf(
  (sessionId) => ({ ...apiFields, [SESSION_ID_FIELD]: sessionId }),
  (info) => `{"data":${info},${SUCCESS}}`,
);

/** Creates the form that puts the text of a `SessionInfo` into an envelope. */
function formOf(fields: SessionForm["fields"], wrap: (info: string) => string): SessionForm {
  return {
    fields,
    ofInfo: wrap,
    body: (opened) => new EnvelopeText(opened, wrap),
    bodyWithData: (opened) => wrap(sessionInfoWithData(opened, opened.data)),
  };
}

/** An upper bound of the characters that an envelope adds to its content. */
const MAX_ENVELOPE_CHARACTERS = 128;

class EnvelopeText implements BodyWriter {
  readonly #opened: OpenedSession;
  readonly #wrap: (info: string) => string;

  constructor(opened: OpenedSession, wrap: (info: string) => string) {
    this.#opened = opened;
    this.#wrap = wrap;
  }

  /** No envelope contains the `SessionInfo` more than twice. */
  get maxLength(): number {
    return 2 * maxLengthOf(this.#opened) + MAX_ENVELOPE_CHARACTERS;
  }

  write(bytes: Buffer, start: number): number {
    return start + bytes.write(this.#wrap(sessionInfo(this.#opened)), start);
  }
}
