/** A file of the built console. `path` is relative to the folder of the build, such as `assets/app-1a2b3c.js`. */
export interface ConsoleFile {
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The file compressed with Brotli; `undefined` if it is not worth it. */
  readonly brotli: Uint8Array<ArrayBuffer> | undefined;
  /** The file compressed with gzip; `undefined` if it is not worth it. */
  readonly gzip: Uint8Array<ArrayBuffer> | undefined;
}
