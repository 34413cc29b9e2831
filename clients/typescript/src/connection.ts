import {
  CancellationReceiverStrategy,
  CancellationToken,
  ConnectionError,
  createMessageConnection,
  ErrorCodes,
  type MessageConnection,
  ResponseError,
} from "vscode-jsonrpc/node";
import type { CallOptions, Calls } from "./calls.js";
import { cancellable } from "./cancellation.js";
import { AbortError, ClosedError, DisconnectedError, RequestError } from "./errors.js";
import { METHODS } from "./generated/methods.js";
import type { ErrorData, InitializeResult } from "./generated/types.js";
import { LineReader, LineWriter } from "./lines.js";
import { decode, encode } from "./payload.js";
import { type Exit, PATIENCE, type Peer } from "./process.js";
import { older } from "./version.js";
import { Watches } from "./watch.js";

/** How a connection ended. */
export interface Ending extends Exit {
  /** Why it was lost; undefined where the client was closed. */
  error: DisconnectedError | undefined;
}

/** JSON-RPC with one sidecar. */
export class Connection implements Calls {
  /** Settles once the connection has ended and nothing of the other end is left. */
  readonly ended: Promise<Ending>;
  /** What the sidecar answered to initialize. */
  server: InitializeResult | undefined;
  readonly #peer: Peer;
  readonly #rpc: MessageConnection;
  readonly #watches = new Watches();
  #closed = false;
  #over = false;
  #trouble: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(peer: Peer) {
    this.#peer = peer;
    const reader = new LineReader(peer.input);
    const writer = new LineWriter(peer.output);
    this.#rpc = createMessageConnection(reader, writer, undefined, {
      messageStrategy: {
        handleMessage(message, next) {
          const handling = next(message);
          reader.handled();
          return handling;
        },
      },
      cancellationStrategy: {
        receiver: CancellationReceiverStrategy.Message,
        sender: {
          // Async, since by default vscode-jsonrpc prints that the connection is closed.
          async sendCancellation(rpc, id) {
            await rpc.sendNotification("$/cancelRequest", { id });
          },
          cleanup() {},
        },
      },
    });
    this.#rpc.onNotification((method, params) => this.#watches.deliver(method, decode(params)));
    reader.onError((error) => this.lose(`its output cannot be read: ${error.message}`));
    writer.onError(() => this.#hangUp());
    this.ended = new Promise((resolve) => {
      this.#rpc.onClose(() => resolve(this.#end()));
    });
    this.#rpc.listen();
  }

  async request<Result>(
    method: string,
    params: object,
    { signal }: CallOptions = {},
  ): Promise<Result> {
    if (this.#closed) throw new ClosedError();
    const encoded = encode(params);
    const send = (token: CancellationToken): Promise<Result> =>
      encoded.json === "{}"
        ? this.#rpc.sendRequest(method, token)
        : this.#rpc.sendRequest(method, encoded, token);
    try {
      return decode(await (signal ? cancellable(signal, send) : send(CancellationToken.None)));
    } catch (error) {
      throw await this.#explained(error, method, signal);
    }
  }

  async *pages<Item>(
    method: string,
    member: string,
    params: object,
    options?: CallOptions,
  ): AsyncGenerator<Item, void, void> {
    let page: Record<string, unknown> = await this.request(method, params, options);
    for (;;) {
      yield* page[member] as Item[];
      const cursor = page.nextCursor;
      if (typeof cursor !== "string") return;
      page = await this.request(method, { ...params, cursor }, options);
    }
  }

  watch<Notice, Result>(
    method: string,
    params: object,
    options?: CallOptions,
  ): AsyncGenerator<Notice, Result, void> {
    return this.#watches.iterate(this, method, params, options);
  }

  /** Sends a notification. Where that fails, the end of the connection tells. */
  notify(method: string): void {
    this.#rpc.sendNotification(method).catch(() => {});
  }

  /** Ends the sidecar by the end of its input; it answers what it has read before. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#hangUp();
    await this.ended;
  }

  /** Ends the sidecar at once. */
  lose(trouble: string): void {
    this.#trouble ??= trouble;
    this.#peer.kill();
  }

  #hangUp(): void {
    this.#peer.output.end();
    if (this.#over) return;
    this.#timer ??= setTimeout(() => this.lose("it did not end with its input"), PATIENCE);
  }

  async #end(): Promise<Ending> {
    const closed = this.#closed;
    this.#hangUp();
    const exit = await this.#peer.exit;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#rpc.dispose(); // rejects what is unanswered
    return { ...exit, error: closed ? undefined : this.#disconnected(exit) };
  }

  #disconnected(exit: Exit): DisconnectedError {
    return new DisconnectedError(exit, this.#trouble);
  }

  async #explained(error: unknown, method: string, signal?: AbortSignal): Promise<Error> {
    if (error instanceof AbortError) return error;
    if (error instanceof ResponseError && !OWN.has(error.code)) {
      return this.#told(error, method, signal);
    }
    if (!(error instanceof ResponseError || error instanceof ConnectionError)) {
      this.lose(`its output cannot be read: ${error}`);
    }
    return this.#disconnected(await this.ended);
  }

  #told(error: ResponseError<unknown>, method: string, signal?: AbortSignal): RequestError {
    const data: ErrorData = { kind: "unknown", retryable: false, ...decode(error.data as object) };
    if (data.kind === "request_cancelled" && signal?.aborted) {
      return new AbortError(error.message, error.code, data, { cause: signal.reason });
    }
    const lacks = data.kind === "method_not_found" && METHODS.has(method) && this.server;
    const message = lacks ? `${older(lacks)} and lacks ${method}` : error.message;
    return new RequestError(message, error.code, data);
  }
}

/** Codes by which vscode-jsonrpc tells that there was no answer. */
const OWN: ReadonlySet<number> = new Set([
  ErrorCodes.MessageWriteError,
  ErrorCodes.PendingResponseRejected,
]);
