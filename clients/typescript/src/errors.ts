import type { ErrorData, ErrorKind } from "./generated/types.js";

/** What goes wrong on the client's own end. */
export type ClientErrorKind =
  | "spawn_failed"
  | "disconnected"
  | "incompatible"
  | "invalid_response"
  | "closed";

/** How a sidecar ended. */
export interface Exit {
  /** The exit status of the process, null where there is none. */
  exitCode: number | null;
  /** The signal that ended the process, null where there is none. */
  signal: string | null;
  /** The last lines that it wrote to stderr. */
  stderr: string;
}

/** How a connection ended. */
export interface Ending extends Exit {
  /** Why it was lost; undefined where the client was closed. */
  error: DisconnectedError | undefined;
}

/** Any error of this package. Match on its `kind`. */
export abstract class SidecarError extends Error {
  /** What went wrong. Newer sidecars may have kinds that this client does not know. */
  abstract readonly kind: ErrorKind | ClientErrorKind | (string & {});

  static {
    named(SidecarError, "SidecarError");
  }
}

/** The sidecar answered with an error. */
export class RequestError extends SidecarError {
  override readonly kind: ErrorKind | (string & {});

  constructor(
    message: string,
    /** JSON-RPC's code, LSP's, or from 1001 on the sidecar's own. */
    readonly code: number,
    /** What else the sidecar told: whether a retry may help, what became of a write, ... */
    readonly data: ErrorData,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.kind = data.kind;
  }

  static {
    named(RequestError, "RequestError");
  }
}

/**
 * The call was cancelled by its signal; `cause` is the signal's reason.
 *
 * Of a write, `data.outcome` tells what is known: `none` (it did not happen) or `unknown`.
 */
export class AbortError extends RequestError {
  static {
    named(AbortError, "AbortError");
  }
}

/** The sidecar could not be started. */
export class SpawnError extends SidecarError {
  override readonly kind = "spawn_failed";

  static {
    named(SpawnError, "SpawnError");
  }
}

/**
 * The sidecar ended, or its output cannot be read, before it answered.
 *
 * It is not known whether a write that was under way happened. `cause` is the error of a stream,
 * where one broke.
 */
export class DisconnectedError extends SidecarError implements Exit {
  override readonly kind = "disconnected";

  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stderr: string;

  /** @param trouble why this client ended it, where it did not end by itself */
  constructor({ exitCode, signal, stderr }: Exit, trouble?: string, cause?: Error) {
    const status = signal ?? (exitCode === null ? "" : `exit status ${exitCode}`);
    const end = status === "" ? "the sidecar has ended" : `the sidecar has ended (${status})`;
    const broken = cause === undefined ? "" : `: ${cause.message}`;
    const words = stderr === "" ? "" : `\nits stderr ends with:\n${stderr}`;
    super(`${trouble ?? end}${broken}${words}`, cause && { cause });
    this.exitCode = exitCode;
    this.signal = signal;
    this.stderr = stderr;
  }

  static {
    named(DisconnectedError, "DisconnectedError");
  }
}

/** The sidecar speaks another major version of the protocol. */
export class IncompatibleError extends SidecarError {
  override readonly kind = "incompatible";

  static {
    named(IncompatibleError, "IncompatibleError");
  }
}

/** A response breaks the protocol: a listing that does not end, for instance. */
export class InvalidResponseError extends SidecarError {
  override readonly kind = "invalid_response";

  constructor(method: string, trouble: string) {
    super(`the response to ${method} is invalid: ${trouble}`);
  }

  static {
    named(InvalidResponseError, "InvalidResponseError");
  }
}

/** The client was used after it was closed, or closed while a call waited for an event. */
export class ClosedError extends SidecarError {
  override readonly kind = "closed";

  constructor() {
    super("the client is closed");
  }

  static {
    named(ClosedError, "ClosedError");
  }
}

// On the prototype the name is there when the stack is written, and survives minification.
function named(type: { prototype: Error }, name: string): void {
  Object.defineProperty(type.prototype, "name", {
    value: name,
    configurable: true,
    writable: true,
  });
}
