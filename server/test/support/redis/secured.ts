// needs: openssl

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../free-ports.ts";
import { temporaryDirectory } from "../temporary-directory.ts";
import { startRedis } from "./node.ts";
import type { SingleRedis } from "./single.ts";

/** A Redis server that is reached by TLS, with a user and a password. */
export interface SecuredRedis extends SingleRedis {
  /** The self-signed certificate, which the service must trust. Redis accepts it from clients too. */
  readonly caFile: string;
  /** Private key of the certificate. */
  readonly keyFile: string;
  readonly user: string;
  readonly password: string;
}

/** Starts a server that accepts only TLS and only one user; creates its certificate. */
export async function startSecuredRedis(): Promise<SecuredRedis> {
  const directory = temporaryDirectory();
  const [user, password] = ["porter", "p@ss:w/rd%?#"];
  try {
    const { certificate, key } = selfSigned(directory.path);
    const port = await freePort();
    const node = await startRedis({
      host: "127.0.0.1",
      port,
      dir: directory.path,
      settings: [
        ["port", "0"],
        ["tls-port", String(port)],
        ["tls-cert-file", certificate],
        ["tls-key-file", key],
        ["tls-ca-cert-file", certificate],
        // Redis' default: clients need a certificate too.
        ["tls-auth-clients", "yes"],
        ["user", user, "on", `>${password}`, "~*", "&*", "+@all"],
        ["user", "default", "off"],
      ],
      // The tests' own commands do not verify the certificate, because only the service's connection is tested.
      connection: {
        username: user,
        password,
        tls: { rejectUnauthorized: false, cert: readFileSync(certificate), key: readFileSync(key) },
      },
    });
    return {
      url: `rediss://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}`,
      node,
      caFile: certificate,
      keyFile: key,
      user,
      password,
      async [Symbol.asyncDispose]() {
        await node[Symbol.asyncDispose]();
        directory.remove();
      },
    };
  } catch (error) {
    directory.remove();
    throw error;
  }
}

function selfSigned(folder: string): { certificate: string; key: string } {
  const certificate = join(folder, "certificate.pem");
  const key = join(folder, "key.pem");
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-days", "2", "-subj", "/CN=localhost"],
      ...["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"],
      ...["-keyout", key, "-out", certificate],
    ],
    { stdio: "pipe" },
  );
  return { certificate, key };
}
