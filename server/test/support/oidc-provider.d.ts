/** The part of the package that the tests use. It has no types of its own. */
declare module "oidc-provider" {
  import type { RequestListener } from "node:http";

  export class Provider {
    constructor(issuer: string, configuration: object);
    callback(): RequestListener;
    on(event: "backchannel.success", listener: (context: unknown, client: unknown, accountId: string) => void): void;
    on(event: "backchannel.error", listener: (context: unknown, error: Error) => void): void;
  }
}
