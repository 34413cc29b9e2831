/** Connects the server with the parts of the editor that show its events. */

import { type ExtensionContext, window, workspace } from "vscode";
import type { Middleware } from "vscode-languageclient/node";
import { Answering } from "./answering.ts";
import { registerCommands } from "./commands.ts";
import { documentUri, showDocument } from "./documents.ts";
import { EventStore } from "./eventStore.ts";
import { EventTree } from "./eventTree.ts";
import { Logins } from "./login.ts";
import type { LoginEnded, LoginRequired, Question } from "./protocol.ts";
import { Server } from "./server.ts";
import { showContext, showCount } from "./statusBar.ts";

export function activate(context: ExtensionContext): void {
  const output = window.createOutputChannel("Flyte Sidecar", { log: true });
  const store = new EventStore();
  const tree = new EventTree(store, async (event, token) => {
    const uri = documentUri(event, store.backend);
    const method = "workspace/textDocumentContent";
    return (await server.request<{ text: string }>(method, { uri }, token)).text;
  });
  const execute = (command: string, args: readonly unknown[]) => server.execute(command, args);
  const answering = new Answering(store, tree, execute);
  const logins = new Logins(execute);
  const middleware: Middleware = {
    executeCommand: (command, args) => answering.run(command, args),
    window: { showDocument },
  };
  const server = new Server(context, output, store, middleware, (client) => {
    logins.endAll();
    client.onRequest("flyteSidecar/ask", async (question: Question, token) => {
      await answering.ask(question, token);
      return null;
    });
    client.onNotification("sidecar.authRequired", (login: LoginRequired) => logins.start(login));
    client.onNotification("sidecar.authEnded", (login: LoginEnded) => logins.end(login));
  });
  context.subscriptions.push(
    output,
    store,
    tree,
    server,
    ...showCount(store),
    showContext(store),
    ...registerCommands(server, answering, output),
    workspace.onDidGrantWorkspaceTrust(() => server.restart()),
    workspace.onDidChangeWorkspaceFolders(() => server.update()),
    workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("flyteSidecar.command")) server.update();
    }),
  );
  server.restart();
}
