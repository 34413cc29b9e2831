import type { Readable, Writable } from "node:stream";
import { abortError, onAbort, throwIfAborted } from "./abort.js";
import type { CallOptions } from "./caller.js";
import { INSTALL, type SidecarCommand } from "./command.js";
import { versionWarning } from "./compatibility.js";
import { Connection } from "./connection.js";
import { type CloseInfo, DisconnectedError } from "./errors.js";
import { Methods } from "./generated/methods.js";
import type { InitializeResult } from "./generated/types.js";
import { VERSION } from "./generated/version.js";
import type { AttachOptions, SpawnOptions } from "./options.js";
import { type Peer, spawnPeer, streamPeer } from "./process.js";

declare global {
  // Libraries before esnext do not declare this symbol, and `@types/node` may not be installed.
  interface SymbolConstructor {
    readonly asyncDispose: unique symbol;
  }
}

/**
 * A connection to one sidecar.
 *
 * Calls may run concurrently. The client does not restart a sidecar that exits: see `closed`.
 */
export class Client extends Methods {
  /** The sidecar's response to `initialize`. */
  readonly server: InitializeResult;
  /** A warning if the sidecar is older than this client and may lack methods; else undefined. */
  readonly versionWarning: string | undefined;
  /** The command that was spawned, and where it was found; undefined after `Client.attach`. */
  readonly command: SidecarCommand | undefined;
  /** The process id of the command; undefined after `Client.attach`. */
  readonly pid: number | undefined;
  /** Resolves when the connection has ended, for any reason. Never rejects. */
  readonly closed: Promise<CloseInfo>;
  readonly #connection: Connection;

  private constructor(connection: Connection, peer: Peer, server: InitializeResult) {
    super(connection);
    this.#connection = connection;
    this.server = server;
    this.versionWarning = versionWarning(server);
    this.command = peer.command;
    this.pid = peer.pid;
    this.closed = connection.closed;
  }

  /**
   * Spawns a sidecar and connects to it. The sidecar exits when this process does.
   *
   * There is no default timeout: pass `AbortSignal.timeout(ms)` to limit the start. The first start
   * with `uvx` downloads the sidecar.
   *
   * @throws {SpawnError} if no command is found, or it cannot be spawned
   * @throws {DisconnectedError} if it exits or writes invalid output before it responds
   * @throws {IncompatibleError} if it uses another major version of the protocol
   * @throws {AbortError} if the signal is aborted first
   */
  static async spawn(options: SpawnOptions = {}): Promise<Client> {
    throwIfAborted(options.signal, "before the sidecar was spawned");
    return Client.#open(await spawnPeer(options), options);
  }

  /**
   * Connects to a running sidecar over two streams.
   *
   * @throws {DisconnectedError} if the streams end or carry invalid output before it responds
   * @throws {IncompatibleError} if it uses another major version of the protocol
   * @throws {AbortError} if the signal is aborted first
   */
  static async attach(options: AttachOptions): Promise<Client> {
    throwIfAborted(options.signal, "before the connection was opened");
    const { input, output } = options;
    return Client.#open(streamPeer(input as Readable, output as Writable), options);
  }

  static async #open(
    peer: Peer,
    { signal, onAuthRequired }: Pick<SpawnOptions, "signal" | "onAuthRequired">,
  ): Promise<Client> {
    const connection = new Connection(peer, onAuthRequired);
    const fail = (): void => connection.fail("opening the connection was aborted");
    const unsubscribe = signal && onAbort(signal, fail);
    try {
      if (signal?.aborted) fail();
      const server = await connection.request<InitializeResult>("initialize", {
        processId: peer.pid === undefined ? null : process.pid,
        clientInfo: { name: "flyte-sidecar for Node", version: VERSION },
        capabilities: {},
      });
      if (typeof server?.protocolVersion !== "string") {
        connection.fail("the server is not a flyte-sidecar: it reported no protocol version");
        throw (await connection.closed).error;
      }
      const client = new Client(connection, peer, server);
      connection.versionWarning = client.versionWarning;
      connection.notify("initialized");
      return client;
    } catch (error) {
      await connection.close();
      if (signal?.aborted) throw abortError(signal, "before the sidecar responded", "none");
      if (error instanceof DisconnectedError && peer.command?.source === "uvx") {
        const { program, args } = peer.command;
        const ended = `${[program, ...args].join(" ")} ended before a sidecar responded`;
        throw new DisconnectedError(error, `${ended}; to do without uvx, ${INSTALL}`);
      }
      throw error;
    } finally {
      unsubscribe?.();
    }
  }

  /**
   * Sends a request by method name, also for methods that this client does not know.
   *
   * @throws {RequestError} if the sidecar responds with an error
   */
  request<Result = unknown>(
    method: string,
    params: object = {},
    options?: CallOptions,
  ): Promise<Result> {
    return this.#connection.request(method, params, options);
  }

  /**
   * Closes the connection and resolves when the sidecar has exited.
   *
   * The sidecar responds to the requests that it has received. Waits and watches are cancelled: a
   * wait rejects with a {@link ClosedError}, a watch ends as cancelled. A sidecar that has not
   * exited after 15 seconds is killed.
   */
  close(): Promise<void> {
    return this.#connection.close();
  }

  /** Closes the client at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
