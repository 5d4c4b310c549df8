import type { RejectedRequest } from "./http-types.ts";

/** Thrown while a head is read: the request must be rejected. `message` is for its sender. */
export class Rejection extends Error {
  override readonly name = "Rejection";
  readonly status: RejectedRequest["status"];

  constructor(status: RejectedRequest["status"], message: string) {
    super(message);
    this.status = status;
  }
}
