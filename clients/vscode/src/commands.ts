/** The commands that the extension runs itself. */

import path from "node:path";
import { commands, type Disposable, env, type LogOutputChannel, window } from "vscode";
import { openUrl, webUrl } from "./documents.ts";
import { isEventNode } from "./eventTree.ts";
import { runLocally } from "./localRun.ts";
import type { Event, LocalTask } from "./protocol.ts";
import type { Server } from "./server.ts";

/** Registers the commands. */
export function registerCommands(server: Server, output: LogOutputChannel): Disposable[] {
  const event = async (
    node: unknown,
    placeHolder: string,
    isSuitable: (event: Event) => boolean,
  ) => (isEventNode(node) ? node.event : server.answering.pick(placeHolder, isSuitable));
  const handlers: Record<string, (argument: unknown) => unknown> = {
    restart: () => server.restart(),
    showOutput: () => output.show(),
    useUvx: () => server.useUvx(),
    openInConsole: async (node) => {
      const hasPage = (event: Event) => webUrl(event.url) !== undefined;
      const chosen = await event(node, "Open which event in the console?", hasPage);
      const page = chosen && webUrl(chosen.url);
      if (page !== undefined) await openUrl(page);
    },
    copyId: async (node) => {
      const chosen = await event(node, "Copy the ID of which event?", () => true);
      if (chosen !== undefined) await env.clipboard.writeText(chosen.actionName);
    },
    createSampleEvent: () => server.createSampleEvent(),
    runLocally: (task) => {
      const program = server.command?.program;
      return runLocally(task as LocalTask, program && path.dirname(program));
    },
  };
  return Object.entries(handlers).map(([name, handler]) =>
    commands.registerCommand(`flyteSidecar.${name}`, async (argument: unknown) => {
      try {
        return await handler(argument);
      } catch (error) {
        window.showErrorMessage(error instanceof Error ? error.message : String(error));
      }
    }),
  );
}
