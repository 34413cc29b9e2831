/** The connection to a server process. */

import { type LogOutputChannel, workspace } from "vscode";
import {
  CloseAction,
  type ErrorHandler,
  LanguageClient,
  type StaticFeature,
} from "vscode-languageclient/node";
import type { Answering } from "./answering.ts";
import type { Logins } from "./login.ts";
import type { AuthEnded, AuthRequired, EventChanges, Question } from "./protocol.ts";
import { type ServerCommand, serverFolder } from "./serverCommand.ts";

/** What reacts to the messages of the server. */
export interface Handlers {
  readonly answering: Answering;
  readonly logins: Logins;
  onChanges(changes: EventChanges): void;
  /** The server has crashed too often, and is not restarted. */
  onGiveUp(): void;
}

/** Returns a client that starts a server, and restarts it after a crash. */
export function createClient(
  { program, args }: ServerCommand,
  output: LogOutputChannel,
  { answering, logins, onChanges, onGiveUp }: Handlers,
): LanguageClient {
  const client: LanguageClient = new LanguageClient(
    "flyteSidecar",
    "Flyte Sidecar",
    { command: program, args: [...args, "--stdio"], options: { cwd: serverFolder() } },
    {
      documentSelector: ["file", "untitled"].map((scheme) => ({ scheme, language: "python" })),
      // Otherwise, the server would start with another backend, and then change to this one.
      initializationOptions: () => workspace.getConfiguration().get("flyteSidecar"),
      outputChannel: output,
      middleware: { executeCommand: (command, args) => answering.run(command, args) },
      errorHandler: errorHandler(() => client.createDefaultErrorHandler(), onGiveUp),
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

/** Returns the default handler, without a message for each crash: the view shows the restart. */
function errorHandler(createDefault: () => ErrorHandler, onGiveUp: () => void): ErrorHandler {
  let handler: ErrorHandler | undefined;
  const get = () => {
    handler ??= createDefault();
    return handler;
  };
  return {
    error: (error, message, count) => get().error(error, message, count),
    closed: async () => {
      const result = await get().closed();
      if (result.action === CloseAction.Restart) return { ...result, handled: true };
      onGiveUp();
      return result;
    },
  };
}
