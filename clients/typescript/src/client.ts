import type { Readable, Writable } from "node:stream";
import type { CallOptions } from "./calls.js";
import { compare } from "./compatibility.js";
import { Connection } from "./connection.js";
import type { Ending } from "./errors.js";
import { Methods } from "./generated/methods.js";
import type { InitializeResult } from "./generated/types.js";
import { VERSION } from "./generated/version.js";
import type { AttachOptions, SpawnOptions } from "./options.js";
import { type Peer, start, streams } from "./process.js";
import { aborted, admit, onAbort } from "./signals.js";

const EARLY = "before the sidecar was started";

declare global {
  // Libraries before esnext have no such symbol, and `@types/node` may not be there.
  interface SymbolConstructor {
    readonly asyncDispose: unique symbol;
  }
}

/**
 * A conversation with one sidecar.
 *
 * Calls may be made concurrently. A sidecar that was lost is not started again: see `closed`.
 */
export class Client extends Methods {
  /** What the sidecar said of itself. */
  readonly server: InitializeResult;
  /** Says so where the sidecar is older than this client and may lack methods. */
  readonly mismatch: string | undefined;
  /** The id of the sidecar's process, undefined where it was not started here. */
  readonly pid: number | undefined;
  /** Settles, and never rejects, once the sidecar is gone, for whatever reason. */
  readonly closed: Promise<Ending>;
  readonly #connection: Connection;

  private constructor(connection: Connection, pid: number | undefined, server: InitializeResult) {
    super(connection);
    this.#connection = connection;
    this.server = server;
    this.mismatch = compare(server);
    this.pid = pid;
    this.closed = connection.ended;
  }

  /**
   * Starts a sidecar and opens a conversation with it. It ends with this process at the latest.
   *
   * A sidecar that stays silent is waited for, however long: `AbortSignal.timeout` limits that.
   *
   * @throws {SpawnError} if it cannot be started
   * @throws {DisconnectedError} if it ends, or writes what is no protocol, before it answers
   * @throws {IncompatibleError} if it speaks another major version of the protocol
   */
  static async spawn(options: SpawnOptions = {}): Promise<Client> {
    admit(options.signal, EARLY);
    return Client.#open(await start(options), options.signal);
  }

  /**
   * Opens a conversation with a sidecar at the other end of two streams.
   *
   * @throws {DisconnectedError} if they end, or carry what is no protocol, before it answers
   * @throws {IncompatibleError} if it speaks another major version of the protocol
   */
  static async attach({ input, output, signal }: AttachOptions): Promise<Client> {
    admit(signal, EARLY);
    return Client.#open(streams(input as Readable, output as Writable), signal);
  }

  static async #open(peer: Peer, signal: AbortSignal | undefined): Promise<Client> {
    const connection = new Connection(peer);
    const forget = signal && onAbort(signal, () => connection.lose("opening it was given up"));
    try {
      if (signal?.aborted) connection.lose("opening it was given up");
      const server = await connection.request<InitializeResult>("initialize", {
        processId: peer.pid === undefined ? null : process.pid,
        clientInfo: { name: "flyte-sidecar for Node", version: VERSION },
        capabilities: {},
      });
      if (typeof server?.protocolVersion !== "string") {
        connection.lose("what answers is not a flyte-sidecar");
        throw (await connection.ended).error;
      }
      const client = new Client(connection, peer.pid, server);
      connection.mismatch = client.mismatch;
      connection.notify("initialized");
      return client;
    } catch (error) {
      await connection.close();
      if (signal?.aborted) throw aborted(signal, "before the sidecar was ready", "none");
      throw error;
    } finally {
      forget?.();
    }
  }

  /**
   * Sends any request, also one that this client does not know.
   *
   * @throws {RequestError} if the sidecar answers with an error
   */
  request<Result = unknown>(
    method: string,
    params: object = {},
    options?: CallOptions,
  ): Promise<Result> {
    return this.#connection.request(method, params, options);
  }

  /**
   * Ends the sidecar, and settles once it is gone.
   *
   * It answers what it has read. What waits for an event is cancelled: a wait is rejected with a
   * {@link ClosedError}, and a watch ends as cancelled. If the sidecar has not ended after 15
   * seconds, it is killed.
   */
  close(): Promise<void> {
    return this.#connection.close();
  }

  /** Closes the client at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
