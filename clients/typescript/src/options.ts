// These types name none of Node's, so that programs without `@types/node` compile.

/** A `Readable` of Node. */
export interface ReadableStream {
  readonly readable: boolean;
  read(size?: number): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: as Node has it
  on(event: string | symbol, listener: (...args: any[]) => void): this;
  destroy(error?: Error): this;
}

/** A `Writable` of Node. */
export interface WritableStream {
  readonly writable: boolean;
  write(chunk: string | Uint8Array): boolean;
  end(): this;
  // biome-ignore lint/suspicious/noExplicitAny: as Node has it
  on(event: string | symbol, listener: (...args: any[]) => void): this;
  // biome-ignore lint/suspicious/noExplicitAny: as Node has it
  off(event: string | symbol, listener: (...args: any[]) => void): this;
  destroy(error?: Error): this;
}

/** How to start a sidecar. */
export interface SpawnOptions {
  /** The command, by default `flyte-sidecar`. */
  command?: string | undefined;
  /** Its arguments, `["--store", path]` for instance. */
  args?: readonly string[] | undefined;
  /** The folder to start it in, by default the current one. */
  cwd?: string | URL | undefined;
  /** Its environment, by default that of this process. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Where its stderr (its log) goes, by default nowhere. */
  stderr?: WritableStream | undefined;
  /** Gives up starting it; once it has started, this has no effect. */
  signal?: AbortSignal | undefined;
}

/** A sidecar that somebody else has started. */
export interface AttachOptions {
  /** What the sidecar writes. */
  input: ReadableStream;
  /** What the sidecar reads. */
  output: WritableStream;
  /** Gives up opening the connection; once it is open, this has no effect. */
  signal?: AbortSignal | undefined;
}
