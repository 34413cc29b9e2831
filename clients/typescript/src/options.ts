import type { LoginHandler } from "./login.js";

// These types use none of `@types/node`, so that programs compile without it.

/** A Node `Readable`. */
export interface ReadableStream {
  readonly readable: boolean;
  read(size?: number): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: as Node has it
  on(event: string | symbol, listener: (...args: any[]) => void): this;
  destroy(error?: Error): this;
}

/** A Node `Writable`. */
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

/** Options of `Client.spawn`. */
export interface SpawnOptions {
  /**
   * The program to run: a path, or a name on the `PATH` of `env`. Default: `FLYTE_SIDECAR` in `env`,
   * else the package for this platform if it is installed, else `flyte-sidecar` on the `PATH`, else
   * `uvx`, which downloads it. `Client.command` is the one that was used.
   */
  command?: string | undefined;
  /** The arguments of the command, for example `["--store", path]`. */
  args?: readonly string[] | undefined;
  /** The working directory of the command. Default: that of this process. */
  cwd?: string | URL | undefined;
  /** The environment of the command. Default: that of this process. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Receives the stderr (the log) of the command. Default: it is discarded. */
  stderr?: WritableStream | undefined;
  /**
   * Shows a person how to log in at the Flyte deployment, which requests wait for. Default:
   * `process.emitWarning`, which prints it to stderr.
   */
  onAuthRequired?: LoginHandler | undefined;
  /** Aborts the start. It has no effect afterwards. */
  signal?: AbortSignal | undefined;
}

/** Options of `Client.attach`. */
export interface AttachOptions {
  /** The stdout of the sidecar. */
  input: ReadableStream;
  /** The stdin of the sidecar. */
  output: WritableStream;
  /** As in `SpawnOptions`. */
  onAuthRequired?: LoginHandler | undefined;
  /** Aborts the connecting. It has no effect afterwards. */
  signal?: AbortSignal | undefined;
}
