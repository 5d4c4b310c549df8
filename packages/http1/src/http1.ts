/** The interface of this package; README.md describes it. */
export {
  BodyError,
  type BodyFault,
  type BodyWriter,
  type CachedParts,
  CachedResponse,
  type HeaderFields,
  type HttpRequest,
  type HttpResponse,
  type MayBuffer,
  type RejectedRequest,
  SharedPart,
  withFields,
} from "./http-types.ts";
export { type Listener, type ListenOptions, listen } from "./listen.ts";
export { createServer, type Handler, type Server, type ServerOptions } from "./server.ts";
export type { Transport, TransportEvents } from "./transport.ts";
export { SocketError } from "./unix-socket.ts";
