import type { HttpRequest } from "@antechamber/http1";
import type { Principal } from "../session/permissions.ts";
import type { ApiResponse } from "./api-response.ts";

/** The input of a handler: a request, its caller and the parameters of its path. */
export interface Call {
  readonly request: HttpRequest;
  readonly principal: Principal;
  /** The path parameter `:sessionId`, decoded; "" without one. It has its own member because most paths have it. */
  readonly sessionId: string;
  /** The other path parameters, decoded, by name. */
  readonly parameters: PathParameters;
}

export type PathParameters = Readonly<Record<string, string>>;

/** A response, or a promise of one only if the handler has to wait: promises take additional time. */
export type ResponseOrPromise = ApiResponse | Promise<ApiResponse>;
