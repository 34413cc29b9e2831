import { finished } from "node:stream";
import { abortError, onAbort, throwIfAborted } from "./abort.js";
import type { Caller, CallOptions } from "./caller.js";
import {
  AbortError,
  ClosedError,
  type CloseInfo,
  DisconnectedError,
  type ExitInfo,
  RequestError,
} from "./errors.js";
import { METHODS, OPEN_ENDED } from "./generated/methods.js";
import type { AuthRequired, ErrorData } from "./generated/types.js";
import { type Message, readLines } from "./lines.js";
import { AUTH_REQUIRED, warnOfLogin } from "./login.js";
import { pages } from "./pages.js";
import { decode, encode } from "./payload.js";
import { CLOSE_TIMEOUT, type Peer } from "./process.js";
import { Watches } from "./watch.js";

/** Milliseconds that the sidecar may take to respond to a cancellation. */
const CANCEL_TIMEOUT = 15_000;

/** A request without a response. */
interface PendingRequest {
  readonly method: string;
  cancelled: boolean;
  cancel(): void;
  settle(outcome: ResponseOrFailure): void;
}

/** The response to a request, or the reason for which there is none. */
type ResponseOrFailure = Message | "cancel timeout" | "closed" | "disconnected";

/**
 * A JSON-RPC connection to one sidecar.
 *
 * It does not use vscode-jsonrpc: version 10 reports the end of a stream before it has delivered
 * what it read, queues requests by id so that duplicates are lost, and handles only one message per
 * turn of the event loop.
 */
export class Connection implements Caller {
  /** Resolves when the connection has ended and the process of the sidecar, if any, has exited. */
  readonly closed: Promise<CloseInfo>;
  /** A warning if the sidecar is older than this client. */
  versionWarning: string | undefined;
  readonly #peer: Peer;
  readonly #pending = new Map<unknown, PendingRequest>();
  readonly #watches = new Watches();
  readonly #onAuthRequired: (login: AuthRequired) => void;
  #nextId = 0;
  #closing = false;
  #exit: ExitInfo | undefined;
  #failure: string | undefined;
  #streamError: Error | undefined;
  #closeTimer: NodeJS.Timeout | undefined;

  constructor(peer: Peer, onAuthRequired = warnOfLogin) {
    this.#peer = peer;
    this.#onAuthRequired = onAuthRequired;
    readLines(
      peer.input,
      (message) => this.#handle(decode(message)),
      (error) => this.fail(`the sidecar's output is invalid: ${messageOf(error)}`),
    );
    // Responses to earlier requests may still arrive after the sidecar has closed its input.
    finished(peer.output, { readable: false }, (error) => {
      this.#recordError(error);
      this.#endOutput();
    });
    this.closed = new Promise((resolve) => {
      finished(peer.input, { writable: false }, (error) => resolve(this.#finish(error)));
    });
  }

  async request<Result>(
    method: string,
    params: object,
    { signal }: CallOptions = {},
  ): Promise<Result> {
    if (this.#closing) throw new ClosedError();
    const json = encode(params);
    throwIfAborted(signal);
    const outcome = this.#exit ? "disconnected" : await this.#send(method, json, signal);
    if (outcome === "disconnected") throw this.#disconnectedError();
    if (outcome === "closed") throw new ClosedError();
    if (outcome === "cancel timeout") {
      throw abortError(signal as AbortSignal, "and the sidecar did not respond", "unknown");
    }
    if (isObject(outcome.error)) throw this.#requestError(method, outcome.error, signal);
    return outcome.result as Result;
  }

  pages<Item>(
    method: string,
    member: string,
    params: object,
    options?: CallOptions,
  ): AsyncGenerator<Item, void, void> {
    return pages(method, member, (cursor) =>
      this.request(method, cursor === undefined ? params : { ...params, cursor }, options),
    );
  }

  watch<Notification, Result>(
    method: string,
    params: object,
    options?: CallOptions,
  ): AsyncGenerator<Notification, Result, void> {
    return this.#watches.open(this, method, params, options);
  }

  /** Sends a notification. If that fails, the connection ends. */
  notify(method: string, params?: object): void {
    this.#write(JSON.stringify({ jsonrpc: "2.0", method, params }));
  }

  /**
   * Cancels open-ended requests and ends the sidecar's input. The sidecar responds to all other
   * requests and exits.
   */
  async close(): Promise<void> {
    this.#closing = true;
    this.#watches.cancelAll();
    for (const { method, cancelled, cancel, settle } of this.#pending.values()) {
      if (cancelled || !OPEN_ENDED.has(method)) continue;
      cancel();
      settle("closed");
    }
    this.#endOutput();
    await this.closed;
  }

  /** Kills the sidecar; pending requests reject with the reason. */
  fail(reason: string): void {
    this.#failure ??= reason;
    this.#peer.kill();
  }

  #send(
    method: string,
    params: string,
    signal: AbortSignal | undefined,
  ): Promise<ResponseOrFailure> {
    const id = this.#nextId++;
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const pending: PendingRequest = {
        method,
        cancelled: false,
        cancel: () => {
          pending.cancelled = true;
          this.notify("$/cancelRequest", { id });
          timer = setTimeout(pending.settle, CANCEL_TIMEOUT, "cancel timeout");
        },
        settle: (outcome) => {
          this.#pending.delete(id);
          unsubscribe?.();
          clearTimeout(timer);
          resolve(outcome);
        },
      };
      const unsubscribe = signal && onAbort(signal, pending.cancel);
      this.#pending.set(id, pending);
      const head = JSON.stringify({ jsonrpc: "2.0", id, method });
      this.#write(params === "{}" ? head : `${head.slice(0, -1)},"params":${params}}`);
    });
  }

  #write(line: string): void {
    const { output } = this.#peer;
    // A write after the end would destroy the stream and the data that it has buffered.
    if (output.writable) output.write(`${line}\n`);
    else this.#endOutput();
  }

  #handle(message: Message): void {
    const { id, method, params, result, error } = message;
    if (typeof method === "string") {
      if (method === AUTH_REQUIRED && isObject(params)) {
        // An exception of the handler must not end the connection.
        queueMicrotask(() => this.#onAuthRequired(params as unknown as AuthRequired));
      } else if (id === undefined) this.#watches.deliver(method, params);
      else this.#reject(id, method);
      return;
    }
    const pending = this.#pending.get(id);
    if (result === undefined && !isObject(error) && pending !== undefined) {
      throw new Error(`the response to ${pending.method} has neither a result nor an error`);
    }
    pending?.settle(message);
  }

  #reject(id: unknown, method: string): void {
    if (this.#peer.output.writableNeedDrain) return; // the sidecar does not read responses
    const error = { code: -32601, message: `this client does not implement ${method}` };
    this.#write(JSON.stringify({ jsonrpc: "2.0", id, error }));
  }

  #endOutput(): void {
    this.#peer.output.end();
    if (this.#exit) return;
    const reason = "the sidecar did not exit after the end of its input";
    this.#closeTimer ??= setTimeout(() => this.fail(reason), CLOSE_TIMEOUT);
  }

  #recordError(error: NodeJS.ErrnoException | null | undefined): void {
    // `finished` reports this error for a stream that was closed without an error.
    if (error && error.code !== "ERR_STREAM_PREMATURE_CLOSE") this.#streamError ??= error;
  }

  async #finish(error: NodeJS.ErrnoException | null | undefined): Promise<CloseInfo> {
    const closing = this.#closing;
    this.#recordError(error);
    this.#endOutput();
    const exit = await this.#peer.exit;
    this.#exit = exit;
    clearTimeout(this.#closeTimer);
    for (const { settle } of this.#pending.values()) settle("disconnected");
    return { ...exit, error: closing ? undefined : this.#disconnectedError() };
  }

  #disconnectedError(): DisconnectedError {
    const { exitCode = null, signal = null, stderr = "" } = this.#exit ?? {};
    return new DisconnectedError({ exitCode, signal, stderr }, this.#failure, this.#streamError);
  }

  #requestError(method: string, error: Message, signal: AbortSignal | undefined): RequestError {
    const code = error.code as number;
    const data = errorData(error.data);
    if (data.kind === "request_cancelled" && signal?.aborted) {
      return new AbortError(String(error.message), code, data, { cause: signal.reason });
    }
    let message = String(error.message);
    if (this.versionWarning !== undefined && METHODS.has(method)) {
      if (data.kind === "method_not_found") message = `${this.versionWarning} and lacks ${method}`;
      if (data.kind === "invalid_params") message += ` (${this.versionWarning})`;
    }
    return new RequestError(message, code, data);
  }
}

function errorData(value: unknown): ErrorData {
  const data = isObject(value) ? value : {};
  const kind = typeof data.kind === "string" ? data.kind : "unknown";
  return { retryable: false, ...data, kind };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
