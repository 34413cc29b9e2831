/** The server: its start, its restarts, and the requests to it. */

import {
  type CancellationToken,
  commands,
  type Disposable,
  type ExtensionContext,
  type LogOutputChannel,
  type Uri,
  window,
} from "vscode";
import {
  State as ClientState,
  ExecuteCommandRequest,
  type LanguageClient,
  TextDocumentContentRequest,
} from "vscode-languageclient/node";
import { Answering, type Execute } from "./answering.ts";
import { createClient } from "./client.ts";
import type { EventStore } from "./eventStore.ts";
import { type EventTree, VIEW } from "./eventTree.ts";
import { Logins } from "./login.ts";
import { onEnvironmentChange } from "./python.ts";
import { findServer, findUvx, type ServerCommand, searched } from "./serverCommand.ts";

/** Key of the version that the person has agreed to run with uvx. */
const AGREED_VERSION = "agreedVersion";

/** Key of the version that the person has been told to install. */
const ANNOUNCED_VERSION = "announcedVersion";

/** Keeps a server running, and the store up to date. */
export class Server {
  /** The commands about events. */
  readonly answering: Answering;

  readonly #context: ExtensionContext;
  readonly #output: LogOutputChannel;
  readonly #store: EventStore;
  readonly #tree: EventTree;
  readonly #logins: Logins;
  #client: LanguageClient | undefined;
  #command: ServerCommand | undefined;
  #environmentChange: Disposable | undefined;
  #changing: Promise<void> = Promise.resolve();

  constructor(
    context: ExtensionContext,
    output: LogOutputChannel,
    store: EventStore,
    tree: EventTree,
  ) {
    this.#context = context;
    this.#output = output;
    this.#store = store;
    this.#tree = tree;
    this.answering = new Answering(store, tree, this.execute);
    this.#logins = new Logins(async (url) => {
      await this.#running.sendRequest("sidecar.cancelLogin", { url });
    });
  }

  /** The command that has started the server. */
  get command(): ServerCommand | undefined {
    return this.#command;
  }

  /** Starts the server, after stopping the one that runs. */
  restart(): Promise<void> {
    this.#endStart();
    return this.#next(async () => {
      await this.#stop();
      await this.#start();
    });
  }

  /** Restarts the server if another command would start it now. */
  update(): Promise<void> {
    return this.#next(async () => {
      const command = await this.#find().catch(() => null);
      if (JSON.stringify(command) === JSON.stringify(this.#command)) return;
      await this.#stop();
      await this.#start();
    });
  }

  /** Runs a command of the server. */
  readonly execute: Execute = async (command, args) => {
    const params = { command, arguments: [...args] };
    return this.#running.sendRequest(ExecuteCommandRequest.type, params);
  };

  /** Returns the text of a document of the server. */
  async readDocument(uri: Uri, token: CancellationToken): Promise<string> {
    const params = { uri: uri.toString() };
    return (await this.#running.sendRequest(TextDocumentContentRequest.type, params, token)).text;
  }

  /** Creates an event in the embedded store. */
  async createSampleEvent(): Promise<void> {
    await this.#running.sendRequest("events.create", {
      runName: `sample-${Date.now().toString(36)}`,
      name: "deploy",
      prompt: "Deploy the model to **production**?",
      promptType: "markdown",
    });
  }

  /** Downloads this version of the server and runs it, if the person agrees. */
  async useUvx(): Promise<void> {
    if ((await findUvx(this.#version)) === undefined) {
      throw new Error("The program uvx was not found in PATH. It is a part of uv.");
    }
    const agree = "Download and Run";
    const question = `Download flyte-sidecar ${this.#version} from PyPI with uvx, and run it?`;
    const detail = "You are asked again for the next version of the extension.";
    const chosen = await window.showWarningMessage(question, { modal: true, detail }, agree);
    if (chosen !== agree) return;
    await this.#context.globalState.update(AGREED_VERSION, this.#version);
    await this.restart();
  }

  /** Stops the server for good. */
  async dispose(): Promise<void> {
    this.#environmentChange?.dispose();
    this.#endStart();
    await this.#changing;
    await this.#stop();
  }

  get #version(): string {
    return this.#context.extension.packageJSON.version;
  }

  get #running(): LanguageClient {
    if (this.#client === undefined) throw new Error("The server does not run.");
    return this.#client;
  }

  async #find(): Promise<ServerCommand | undefined> {
    this.#environmentChange ??= await onEnvironmentChange(() => this.update());
    const hasAgreed = this.#context.globalState.get(AGREED_VERSION) === this.#version;
    const installed = await findServer(this.#context.extensionPath);
    return installed ?? (hasAgreed ? await findUvx(this.#version) : undefined);
  }

  #next(change: () => Promise<void>): Promise<void> {
    this.#changing = this.#changing.then(change);
    return this.#changing;
  }

  async #start(): Promise<void> {
    this.#store.reset("starting");
    this.#command = undefined;
    try {
      this.#command = await this.#find();
      if (this.#command === undefined) this.#announce();
      else await this.#run(this.#command);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#output.error(`The server has stopped: ${reason}`);
      await this.#stop();
      this.#store.reset("stopped", reason);
    }
  }

  async #stop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    if (client?.isRunning()) await client.dispose().catch((error) => this.#output.warn(error));
  }

  /** Ends a server that is not ready: it might never be. */
  #endStart(): void {
    const process = this.#client?.isRunning() ? undefined : this.#client?.serverProcess;
    process?.stdin?.destroy();
    process?.stdout?.destroy();
    process?.kill();
  }

  async #run(command: ServerCommand): Promise<void> {
    const { program, args, source } = command;
    this.#output.info(`Starting ${[program, ...args].join(" ")} (from ${source})`);
    const client = createClient(command, this.#output, {
      answering: this.answering,
      logins: this.#logins,
      onChanges: (changes) => {
        if (client === this.#client) this.#store.apply(changes);
      },
      onGiveUp: (reason) => {
        if (client === this.#client) this.#store.reset("stopped", reason);
      },
    });
    this.#client = client;
    client.onDidChangeState(({ newState }) => {
      if (newState !== ClientState.Running) this.#logins.endAll();
      if (client === this.#client && newState === ClientState.Starting) {
        this.#store.reset("starting");
      }
    });
    await client.start();
    const { capabilities, serverInfo } = client.initializeResult ?? {};
    this.#output.info(`flyte-sidecar ${serverInfo?.version} runs`);
    // The first version that reports events to plugins has this command.
    if (!capabilities?.executeCommandProvider?.commands.includes("flyteSidecar.answer")) {
      throw new Error(
        `flyte-sidecar ${serverInfo?.version} is too old, ${this.#version} is needed`,
      );
    }
  }

  /** Shows that the server is not installed, once per version in all windows, unless the view is open. */
  async #announce(): Promise<void> {
    const tried = searched(this.#context.extensionPath);
    this.#output.warn(`flyte-sidecar was not found. Tried: ${tried}.`);
    this.#store.reset("notInstalled");
    const { globalState } = this.#context;
    if (globalState.get(ANNOUNCED_VERSION) === this.#version) return;
    await globalState.update(ANNOUNCED_VERSION, this.#version);
    if (this.#tree.isVisible) return;
    const install = "How to Install";
    const message = "Flyte Sidecar needs the program flyte-sidecar, which is not installed.";
    if ((await window.showWarningMessage(message, install)) === install) {
      await commands.executeCommand(`${VIEW}.focus`);
    }
  }
}
