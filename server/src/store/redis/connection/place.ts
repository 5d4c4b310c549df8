/** Address of a Redis server. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Addresses and credentials of Redis. */
export interface RedisPlace {
  readonly kind: "single" | "cluster" | "sentinel";
  /** Addresses of the single server, of some nodes of the cluster, or of the sentinels. */
  readonly hosts: readonly Address[];
  /** Name by which the sentinels know the primary; `undefined` without sentinels. */
  readonly name: string | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Number of the database; 0 on a cluster. */
  readonly database: number;
  /** User name for the sentinels themselves. */
  readonly sentinelUsername: string | undefined;
  /** Password for the sentinels themselves. */
  readonly sentinelPassword: string | undefined;
  readonly isTls: boolean;
  /** File with trusted CA certificates; `undefined` to use those that the runtime knows. */
  readonly caFile: string | undefined;
  /** Files with the certificate of the service and its private key, if Redis requires one. */
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}
