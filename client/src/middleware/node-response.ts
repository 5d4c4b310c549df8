/** What this package needs of Node's `ServerResponse`, of HTTP/1 and 2. */
export interface NodeResponse {
  readonly statusCode: number;
  readonly headersSent: boolean;
  once(event: "finish" | "close", listener: () => void): unknown;
}

/**
 * Calls `over` when the answer has been handed to the network and when its connection is gone: the
 * first time counts. The status is `null` when the connection went before there was an answer.
 */
export function whenOver(
  response: NodeResponse,
  over: (status: number | null, isAborted: boolean) => void,
): void {
  // HTTP/2 answers have no `writableFinished`: which event comes first tells.
  response.once("finish", () => over(response.statusCode, false));
  response.once("close", () => over(response.headersSent ? response.statusCode : null, true));
}
