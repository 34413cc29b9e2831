import { finished } from "node:stream";
import type { CallOptions, Calls } from "./calls.js";
import {
  AbortError,
  ClosedError,
  DisconnectedError,
  type Ending,
  type Exit,
  RequestError,
} from "./errors.js";
import { METHODS, OPEN_ENDED } from "./generated/methods.js";
import type { ErrorData } from "./generated/types.js";
import { type Message, readLines } from "./lines.js";
import { pages } from "./pages.js";
import { decode, encode } from "./payload.js";
import { PATIENCE, type Peer } from "./process.js";
import { aborted, admit, onAbort } from "./signals.js";
import { Watches } from "./watch.js";

/** A request that is not answered yet. */
interface Pending {
  readonly method: string;
  cancelled: boolean;
  cancel(): void;
  settle(answer: Answer): void;
}

/** What the other end answered, or why nothing is waited for any longer. */
type Answer = Message | "overdue" | "closed" | "lost";

/**
 * JSON-RPC with one sidecar.
 *
 * It is written by hand, since vscode-jsonrpc 10 announces the end before it has delivered what
 * was read, queues by id so that duplicates are lost, and handles one message a turn of the loop.
 */
export class Connection implements Calls {
  /** Settles once the connection has ended and nothing of the other end is left. */
  readonly ended: Promise<Ending>;
  /** Says so where the sidecar is older than this client. */
  mismatch: string | undefined;
  readonly #peer: Peer;
  readonly #pending = new Map<unknown, Pending>();
  readonly #watches = new Watches();
  #requests = 0;
  #closed = false;
  #exit: Exit | undefined;
  #trouble: string | undefined;
  #cause: Error | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(peer: Peer) {
    this.#peer = peer;
    readLines(
      peer.input,
      (message) => this.#take(decode(message)),
      (error) => this.lose(`the sidecar's output cannot be read: ${messageOf(error)}`),
    );
    // What was answered before it stopped reading may still come.
    finished(peer.output, { readable: false }, (error) => {
      this.#note(error);
      this.#hangUp();
    });
    this.ended = new Promise((resolve) => {
      finished(peer.input, { writable: false }, (error) => resolve(this.#end(error)));
    });
  }

  async request<Result>(
    method: string,
    params: object,
    { signal }: CallOptions = {},
  ): Promise<Result> {
    if (this.#closed) throw new ClosedError();
    const json = encode(params);
    admit(signal);
    const answer = this.#exit ? "lost" : await this.#ask(method, json, signal);
    if (answer === "lost") throw this.#disconnected();
    if (answer === "closed") throw new ClosedError();
    if (answer === "overdue") {
      throw aborted(signal as AbortSignal, "and the sidecar has not answered since", "unknown");
    }
    if (isObject(answer.error)) throw this.#refusal(method, answer.error, signal);
    return answer.result as Result;
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

  watch<Notice, Result>(
    method: string,
    params: object,
    options?: CallOptions,
  ): AsyncGenerator<Notice, Result, void> {
    return this.#watches.open(this, method, params, options);
  }

  /** Sends a notification. Where that fails, the end of the connection tells. */
  notify(method: string, params?: object): void {
    this.#send(JSON.stringify({ jsonrpc: "2.0", method, params }));
  }

  /**
   * Ends the sidecar by the end of its input; it answers what it has read before.
   *
   * What would stay open until something happens is cancelled first.
   */
  async close(): Promise<void> {
    this.#closed = true;
    this.#watches.stop();
    for (const { method, cancelled, cancel, settle } of this.#pending.values()) {
      if (cancelled || !OPEN_ENDED.has(method)) continue;
      cancel();
      settle("closed");
    }
    this.#hangUp();
    await this.ended;
  }

  /** Ends the sidecar at once, and says why. */
  lose(trouble: string): void {
    this.#trouble ??= trouble;
    this.#peer.kill();
  }

  #ask(method: string, params: string, signal: AbortSignal | undefined): Promise<Answer> {
    const id = this.#requests++;
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const pending: Pending = {
        method,
        cancelled: false,
        cancel: () => {
          pending.cancelled = true;
          this.notify("$/cancelRequest", { id });
          timer = setTimeout(pending.settle, PATIENCE, "overdue");
        },
        settle: (answer) => {
          this.#pending.delete(id);
          forget?.();
          clearTimeout(timer);
          resolve(answer);
        },
      };
      const forget = signal && onAbort(signal, pending.cancel);
      this.#pending.set(id, pending);
      const head = JSON.stringify({ jsonrpc: "2.0", id, method });
      this.#send(params === "{}" ? head : `${head.slice(0, -1)},"params":${params}}`);
    });
  }

  #send(line: string): void {
    const { output } = this.#peer;
    // Writing after the end would destroy the stream with all that it still holds.
    if (output.writable) output.write(`${line}\n`);
    else this.#hangUp();
  }

  #take(message: Message): void {
    const { id, method, params, result, error } = message;
    if (typeof method === "string") {
      if (id === undefined) this.#watches.deliver(method, params);
      else this.#decline(id, method);
      return;
    }
    const pending = this.#pending.get(id);
    if (result === undefined && !isObject(error) && pending !== undefined) {
      throw new Error(`the answer to ${pending.method} holds neither a result nor an error`);
    }
    pending?.settle(message);
  }

  #decline(id: unknown, method: string): void {
    if (this.#peer.output.writableNeedDrain) return; // it asks and does not read
    const error = { code: -32601, message: `this client has no method ${method}` };
    this.#send(JSON.stringify({ jsonrpc: "2.0", id, error }));
  }

  #hangUp(): void {
    this.#peer.output.end();
    if (this.#exit) return;
    const trouble = "the sidecar did not end with its input";
    this.#timer ??= setTimeout(() => this.lose(trouble), PATIENCE);
  }

  #note(error: NodeJS.ErrnoException | null | undefined): void {
    // By this error `finished` tells of an end without one.
    if (error && error.code !== "ERR_STREAM_PREMATURE_CLOSE") this.#cause ??= error;
  }

  async #end(error: NodeJS.ErrnoException | null | undefined): Promise<Ending> {
    const closed = this.#closed;
    this.#note(error);
    this.#hangUp();
    const exit = await this.#peer.exit;
    this.#exit = exit;
    clearTimeout(this.#timer);
    for (const { settle } of this.#pending.values()) settle("lost");
    return { ...exit, error: closed ? undefined : this.#disconnected() };
  }

  #disconnected(): DisconnectedError {
    const { exitCode = null, signal = null, stderr = "" } = this.#exit ?? {};
    return new DisconnectedError({ exitCode, signal, stderr }, this.#trouble, this.#cause);
  }

  #refusal(method: string, error: Message, signal: AbortSignal | undefined): RequestError {
    const code = error.code as number;
    const data = errorData(error.data);
    if (data.kind === "request_cancelled" && signal?.aborted) {
      return new AbortError(String(error.message), code, data, { cause: signal.reason });
    }
    let message = String(error.message);
    if (this.mismatch !== undefined && METHODS.has(method)) {
      if (data.kind === "method_not_found") message = `${this.mismatch} and lacks ${method}`;
      if (data.kind === "invalid_params") message += ` (${this.mismatch})`;
    }
    return new RequestError(message, code, data);
  }
}

function errorData(told: unknown): ErrorData {
  const data = isObject(told) ? told : {};
  const kind = typeof data.kind === "string" ? data.kind : "unknown";
  return { retryable: false, ...data, kind };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
