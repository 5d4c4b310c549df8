import type { RejectedRequest } from "./http-types.ts";

/** Thrown if a request must be rejected while its head is read. `message` is for the client. */
export class Rejection extends Error {
  override readonly name = "Rejection";
  readonly status: RejectedRequest["status"];

  constructor(status: RejectedRequest["status"], message: string) {
    super(message);
    this.status = status;
  }
}
