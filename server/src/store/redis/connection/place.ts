/** Address and credentials of Redis. */
export interface RedisPlace {
  readonly kind: "single" | "cluster" | "sentinel";
  /** The server, some nodes of a cluster, or the sentinels. */
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  /** Name of the primary at the sentinels. */
  readonly name: string | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Number of the database; 0 on a cluster. */
  readonly database: number;
  /** Credentials for the sentinels themselves. */
  readonly sentinelUsername: string | undefined;
  readonly sentinelPassword: string | undefined;
  readonly isTls: boolean;
  /** File with the trusted certificates; `undefined` for those of the system. */
  readonly caFile: string | undefined;
}
