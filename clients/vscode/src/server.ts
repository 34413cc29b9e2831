/** The server, and the connection to it. */

import {
  type CancellationToken,
  type ExtensionContext,
  type LogOutputChannel,
  workspace,
} from "vscode";
import {
  State as ClientState,
  CloseAction,
  type ErrorHandler,
  ExecuteCommandRequest,
  LanguageClient,
  type Middleware,
} from "vscode-languageclient/node";
import type { EventStore } from "./eventStore.ts";
import type { EventChanges } from "./protocol.ts";
import { findServer, findUvx, type ServerCommand, serverFolder } from "./serverCommand.ts";

/** Key of the version that the person has agreed to run with uvx. */
const AGREED_VERSION = "uvxVersion";

/** Starts the server, restarts it, and keeps the store up to date. */
export class Server {
  readonly #context: ExtensionContext;
  readonly #output: LogOutputChannel;
  readonly #store: EventStore;
  readonly #connect: (client: LanguageClient) => void;
  readonly #middleware: Middleware;
  #client: LanguageClient | undefined;
  #command: ServerCommand | undefined;
  #restarting: Promise<void> = Promise.resolve();

  /**
   * @param connect adds the handlers of a new client
   */
  constructor(
    context: ExtensionContext,
    output: LogOutputChannel,
    store: EventStore,
    middleware: Middleware,
    connect: (client: LanguageClient) => void,
  ) {
    this.#context = context;
    this.#output = output;
    this.#store = store;
    this.#middleware = middleware;
    this.#connect = connect;
  }

  /** The command that has started the server. */
  get command(): ServerCommand | undefined {
    return this.#command;
  }

  get #version(): string {
    return this.#context.extension.packageJSON.version;
  }

  /** Starts the server, after stopping the one that runs. */
  restart(): Promise<void> {
    this.#restarting = this.#restarting.then(async () => {
      await this.#stop();
      await this.#start();
    });
    return this.#restarting;
  }

  /** Restarts the server if another one would be used now. */
  async update(): Promise<void> {
    const command = await this.#find().catch(() => undefined);
    if (JSON.stringify(command) !== JSON.stringify(this.#command)) await this.restart();
  }

  /** Runs a command of the server. */
  async execute(command: string, args: readonly unknown[]): Promise<unknown> {
    const params = { command, arguments: [...args] };
    return this.#running().sendRequest(ExecuteCommandRequest.type, params);
  }

  /** Sends a request of the sidecar's own protocol. */
  async request<Result>(
    method: string,
    params: object,
    token?: CancellationToken,
  ): Promise<Result> {
    return this.#running().sendRequest<Result>(method, params, token);
  }

  async dispose(): Promise<void> {
    await this.#restarting;
    await this.#stop();
  }

  /** Uses uvx from now on, for this version of the extension. */
  async agreeToUvx(): Promise<void> {
    await this.#context.globalState.update(AGREED_VERSION, this.#version);
    await this.restart();
  }

  #running(): LanguageClient {
    if (this.#client === undefined) throw new Error("The server of Flyte Sidecar does not run.");
    return this.#client;
  }

  async #find(): Promise<ServerCommand | undefined> {
    const agreed = this.#context.globalState.get(AGREED_VERSION) === this.#version;
    return (await findServer()) ?? (agreed ? await findUvx(this.#version) : undefined);
  }

  async #start(): Promise<void> {
    this.#store.reset("starting");
    try {
      this.#command = await this.#find();
      if (this.#command === undefined) {
        this.#output.warn("flyte-sidecar was not found: neither the setting flyteSidecar.command");
        this.#store.reset("notInstalled");
        return;
      }
      const { program, args, source } = this.#command;
      this.#output.info(`Starting ${[program, ...args].join(" ")} (from ${source})`);
      this.#client = this.#newClient(this.#command);
      this.#connect(this.#client);
      await this.#client.start();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#output.error(reason);
      this.#store.reset("stopped", reason);
    }
  }

  async #stop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    if (client?.isRunning()) await client.stop().catch((error) => this.#output.error(error));
    await client?.dispose().catch(() => undefined);
  }

  #newClient({ program, args }: ServerCommand): LanguageClient {
    const client: LanguageClient = new LanguageClient(
      "flyteSidecar",
      "Flyte Sidecar",
      { command: program, args: [...args, "--stdio"], options: { cwd: serverFolder() } },
      {
        documentSelector: ["file", "untitled"].map((scheme) => ({ scheme, language: "python" })),
        outputChannel: this.#output,
        middleware: this.#middleware,
        errorHandler: this.#errorHandler(() => client),
      },
    );
    client.registerFeature({
      fillClientCapabilities: (capabilities) => {
        capabilities.experimental = {
          flyteSidecar: {
            events: true,
            asking: true,
            logins: true,
            runLocally: workspace.isTrusted,
          },
        };
      },
      initialize: () => undefined,
      getState: () => ({ kind: "static" }),
      clear: () => undefined,
    });
    client.onNotification("flyteSidecar/events", (changes: EventChanges) => {
      if (client === this.#client) this.#store.apply(changes);
    });
    client.onDidChangeState(({ newState }) => {
      if (client !== this.#client) return;
      if (newState === ClientState.Starting) this.#store.reset("starting");
      if (newState === ClientState.Running) this.#store.reset("connecting");
    });
    return client;
  }

  /** Restarts the server after a crash, unless it crashes again and again. */
  #errorHandler(client: () => LanguageClient): ErrorHandler {
    let handler: ErrorHandler | undefined;
    const get = () => {
      handler ??= client().createDefaultErrorHandler();
      return handler;
    };
    return {
      error: (error, message, count) => get().error(error, message, count),
      closed: async () => {
        const result = await get().closed();
        if (result.action === CloseAction.DoNotRestart) {
          this.#store.reset("stopped", "it crashed again and again");
          return { ...result, handled: true };
        }
        return { ...result, handled: true };
      },
    };
  }
}
