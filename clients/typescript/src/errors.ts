import type { ErrorData, ErrorKind } from "./generated/types.js";

/** The kinds of errors of the client itself. */
export type ClientErrorKind =
  | "spawn_failed"
  | "disconnected"
  | "incompatible"
  | "invalid_response"
  | "closed";

/** How a sidecar exited. */
export interface ExitInfo {
  /** The exit status of the process; null if there is none. */
  exitCode: number | null;
  /** The signal that ended the process; null if there is none. */
  signal: string | null;
  /** The last lines of its stderr. */
  stderr: string;
}

/** How a connection ended. */
export interface CloseInfo extends ExitInfo {
  /** Why the connection ended; undefined if the client was closed. */
  error: DisconnectedError | undefined;
}

/** The base class of the errors of this package. Match on `kind`. */
export abstract class SidecarError extends Error {
  /** The kind of the error. A newer sidecar may have other kinds. */
  abstract readonly kind: ErrorKind | ClientErrorKind | (string & {});

  static {
    setName(SidecarError, "SidecarError");
  }
}

/** The sidecar responded with an error. */
export class RequestError extends SidecarError {
  override readonly kind: ErrorKind | (string & {});

  constructor(
    message: string,
    /** A code of JSON-RPC or LSP, or one of the sidecar from 1001 on. */
    readonly code: number,
    /** Details: whether the request can be retried, the outcome of a write, ... */
    readonly data: ErrorData,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.kind = data.kind;
  }

  static {
    setName(RequestError, "RequestError");
  }
}

/**
 * The call was cancelled by its signal; `cause` is the reason of the signal.
 *
 * `data.outcome` of a write is `none` (it did not happen) or `unknown`.
 */
export class AbortError extends RequestError {
  static {
    setName(AbortError, "AbortError");
  }
}

/** The sidecar could not be spawned. */
export class SpawnError extends SidecarError {
  override readonly kind = "spawn_failed";

  static {
    setName(SpawnError, "SpawnError");
  }
}

/**
 * The sidecar exited or wrote invalid output before it responded.
 *
 * It is unknown whether a write in flight took effect. `cause` is the error of the stream, if any.
 */
export class DisconnectedError extends SidecarError implements ExitInfo {
  override readonly kind = "disconnected";

  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stderr: string;

  /** @param reason why the client ended the connection, if it did */
  constructor({ exitCode, signal, stderr }: ExitInfo, reason?: string, cause?: Error) {
    const status = signal ?? (exitCode === null ? "" : `exit status ${exitCode}`);
    const exited =
      status === "" ? "the connection to the sidecar ended" : `the sidecar exited (${status})`;
    // A write that fails because the sidecar has exited says no more than the exit status.
    const explained = cause === undefined || (reason === undefined && status !== "");
    const details = explained ? "" : `: ${cause.message}`;
    const tail = stderr === "" ? "" : `\nstderr ends with:\n${stderr}`;
    super(`${reason ?? exited}${details}${tail}`, cause && { cause });
    this.exitCode = exitCode;
    this.signal = signal;
    this.stderr = stderr;
  }

  static {
    setName(DisconnectedError, "DisconnectedError");
  }
}

/** The sidecar uses another major version of the protocol. */
export class IncompatibleError extends SidecarError {
  override readonly kind = "incompatible";

  static {
    setName(IncompatibleError, "IncompatibleError");
  }
}

/** A response violates the protocol: for example, a listing does not end. */
export class InvalidResponseError extends SidecarError {
  override readonly kind = "invalid_response";

  constructor(method: string, reason: string) {
    super(`the response to ${method} is invalid: ${reason}`);
  }

  static {
    setName(InvalidResponseError, "InvalidResponseError");
  }
}

/** The client was used after it was closed, or was closed while a call waited for an event. */
export class ClosedError extends SidecarError {
  override readonly kind = "closed";

  constructor() {
    super("the client is closed");
  }

  static {
    setName(ClosedError, "ClosedError");
  }
}

// On the prototype, the name is set before the stack is captured, and survives minification.
function setName(type: { prototype: Error }, name: string): void {
  Object.defineProperty(type.prototype, "name", {
    value: name,
    configurable: true,
    writable: true,
  });
}
