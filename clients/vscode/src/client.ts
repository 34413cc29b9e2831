/** The connection to a server process. */

import { type LogOutputChannel, workspace } from "vscode";
import {
  CloseAction,
  ErrorAction,
  ErrorCodes,
  type ErrorHandler,
  LanguageClient,
  State,
  type StaticFeature,
} from "vscode-languageclient/node";
import type { Answering } from "./answering.ts";
import type { Logins } from "./login.ts";
import type { AuthEnded, AuthRequired, EventChanges, Question } from "./protocol.ts";
import { type ServerCommand, serverFolder } from "./serverCommand.ts";

/** Why the server has stopped if it is gone before it has answered. */
const ENDED_EARLY = "it ended before it was ready";

const CONNECTION_ERRORS: readonly unknown[] = [
  ErrorCodes.MessageWriteError,
  ErrorCodes.PendingResponseRejected,
];

/** What reacts to the messages of the server. */
export interface Handlers {
  readonly answering: Answering;
  readonly logins: Logins;
  onChanges(changes: EventChanges): void;
  /** The server has ended, and is not restarted. */
  onGiveUp(reason: string): void;
}

/** A client that writes its errors to the output channel only: the view shows what they mean. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    // `start` throws why it has failed. What follows from that would hide the output of the server.
    if (this.state !== State.Starting) super.error(message, data, false);
  }

  override async start(): Promise<void> {
    return super.start().catch((error) => {
      throw CONNECTION_ERRORS.includes(error.code) ? new Error(ENDED_EARLY) : error;
    });
  }
}

/** Returns a client that starts a server, and restarts it after a crash. */
export function createClient(
  { program, args }: ServerCommand,
  output: LogOutputChannel,
  { answering, logins, onChanges, onGiveUp }: Handlers,
): LanguageClient {
  const client: LanguageClient = new QuietClient(
    "flyteSidecar",
    "Flyte Sidecar",
    { command: program, args: [...args, "--stdio"], options: { cwd: serverFolder() } },
    {
      documentSelector: ["file", "untitled"].map((scheme) => ({ scheme, language: "python" })),
      // Otherwise, the server would start with another backend, and then change to this one.
      initializationOptions: () => workspace.getConfiguration().get("flyteSidecar"),
      outputChannel: output,
      middleware: { executeCommand: (command, args) => answering.run(command, args) },
      errorHandler: errorHandler(() => client, onGiveUp),
      initializationFailedHandler: () => false,
    },
  );
  client.registerFeature(plugin());
  client.onNotification("flyteSidecar/events", (changes: EventChanges) => onChanges(changes));
  client.onRequest("flyteSidecar/ask", async (question: Question, token) => {
    await answering.ask(question, token);
    return null;
  });
  client.onNotification("sidecar.authRequired", (login: AuthRequired) => {
    logins.start(login);
  });
  client.onNotification("sidecar.authEnded", (login: AuthEnded) => logins.end(login));
  return client;
}

/** Returns the feature that declares what the extension does itself. */
function plugin(): StaticFeature {
  const flyteSidecar = {
    events: true,
    asking: true,
    logins: true,
    runLocally: workspace.isTrusted,
  };
  return {
    fillClientCapabilities: (capabilities) => {
      capabilities.experimental = { flyteSidecar };
    },
    initialize: () => undefined,
    getState: () => ({ kind: "static" }),
    clear: () => undefined,
  };
}

/** Returns a handler that restarts a server which has been running, unless it crashes too often. */
function errorHandler(
  getClient: () => LanguageClient,
  onGiveUp: (reason: string) => void,
): ErrorHandler {
  let byDefault: ErrorHandler | undefined;
  return {
    // A broken connection is closed, too.
    error: () => ({ action: ErrorAction.Continue, handled: true }),
    closed: async () => {
      if (!getClient().isRunning()) {
        onGiveUp(ENDED_EARLY);
        return { action: CloseAction.DoNotRestart, handled: true };
      }
      byDefault ??= getClient().createDefaultErrorHandler();
      const result = await byDefault.closed();
      if (result.action === CloseAction.DoNotRestart) onGiveUp("it has crashed several times");
      return { ...result, handled: true };
    },
  };
}
