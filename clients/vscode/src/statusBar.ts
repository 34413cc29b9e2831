/** The number of waiting events in the status bar. */

import { commands, type Disposable, StatusBarAlignment, window } from "vscode";
import type { EventStore } from "./eventStore.ts";
import { VIEW } from "./eventTree.ts";
import type { ServerCommand } from "./serverCommand.ts";
import { waitingText } from "./texts.ts";

/** Shows the number of waiting events while there are any, and which program has reported them. */
export function showCount(
  store: EventStore,
  getCommand: () => ServerCommand | undefined,
): Disposable[] {
  const item = window.createStatusBarItem("flyteSidecar.count", StatusBarAlignment.Right, 50);
  item.name = "Flyte Waiting Events";
  item.command = `${VIEW}.focus`;
  const update = () => {
    item.text = `$(comment-unresolved) ${store.count}`;
    const { program, source } = getCommand() ?? {};
    item.tooltip = `${waitingText(store.count)}\n${program} (from ${source})`;
    item.accessibilityInformation = { label: waitingText(store.count), role: "button" };
    if (store.count > 0) item.show();
    else item.hide();
  };
  return [item, store.onDidChange(update)];
}

/** Sets the context keys of the `when` clauses in package.json. */
export function showContext(store: EventStore): Disposable {
  return store.onDidChange(() => {
    const context = {
      state: store.state,
      isRunning: !["notInstalled", "starting", "stopped"].includes(store.state),
      hasWaiting: store.waiting.length > 0,
      hasEnded: store.recent.length > 0,
    };
    for (const [key, value] of Object.entries(context)) {
      commands.executeCommand("setContext", `flyteSidecar.${key}`, value);
    }
  });
}
