/** Connects the server with the parts of the editor that show its events. */

import { type ExtensionContext, extensions, window, workspace } from "vscode";
import { registerCommands } from "./commands.ts";
import { EventStore } from "./eventStore.ts";
import { EventTree } from "./eventTree.ts";
import { Server } from "./server.ts";
import { showContext, showCount } from "./statusBar.ts";

let stop: (() => Promise<void>) | undefined;

export function activate(context: ExtensionContext): void {
  const output = window.createOutputChannel("Flyte Sidecar", { log: true });
  const store = new EventStore();
  const tree = new EventTree(store, (uri, token) => server.readDocument(uri, token));
  const server = new Server(context, output, store, tree);
  stop = () => server.dispose();
  context.subscriptions.push(
    output,
    store,
    tree,
    ...showCount(store, () => server.command),
    showContext(store),
    ...registerCommands(server, output),
    workspace.onDidGrantWorkspaceTrust(() => server.restart()),
    workspace.onDidChangeWorkspaceFolders(() => server.update()),
    extensions.onDidChange(() => server.update()), // the Python extension may be new
    workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("flyteSidecar.command")) server.restart();
    }),
  );
  server.restart();
}

export function deactivate(): Promise<void> | undefined {
  return stop?.();
}
