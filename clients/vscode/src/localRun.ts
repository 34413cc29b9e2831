/** Runs of tasks on this machine. */

import { realpath } from "node:fs/promises";
import path from "node:path";
import { env, Uri, type WorkspaceConfiguration, window, workspace } from "vscode";
import { findIn, findProgram } from "./programs.ts";
import type { LocalTask } from "./protocol.ts";
import { findInEnvironment } from "./python.ts";
import { SERVER } from "./serverCommand.ts";
import { quote } from "./shell.ts";
import { plain } from "./texts.ts";

/**
 * Runs a task in a terminal. If it has parameters, the person completes the command.
 *
 * @param serverFolder the folder of the server's program
 */
export async function runLocally(task: LocalTask, serverFolder: string | undefined): Promise<void> {
  if (!workspace.isTrusted) return;
  const file = Uri.parse(task.uri);
  const document = await workspace.openTextDocument(file);
  if (document.isUntitled) {
    window.showInformationMessage("Save the file before you run its tasks.");
    return;
  }
  await document.save();
  const workspaceFolder = workspace.getWorkspaceFolder(file);
  const folder = workspaceFolder?.uri.fsPath ?? path.dirname(file.fsPath);
  const flyte =
    (await findInEnvironment("flyte", [workspaceFolder ?? { uri: file }])) ??
    (serverFolder && (await findIn(serverFolder, "flyte"))) ??
    (await findProgram("flyte"));
  if (!flyte) {
    window.showErrorMessage(
      "The command flyte was not found. Install Flyte's SDK, for example with: pip install flyte",
    );
    return;
  }
  const hidden = await whyHidden(flyte);
  if (hidden !== undefined) {
    window.showWarningMessage(
      `The conditions of this run are not shown as waiting events: ${hidden}`,
    );
  }
  const relative = path.relative(folder, file.fsPath);
  const options = task.parameters.map((name) => `--${name}`);
  const line = quote([flyte, "run", "--local", relative, task.task, ...options], env.shell);
  // The conditions must be in the store that the server reads.
  const store = settings().get<string>("store");
  const terminal = window.createTerminal({
    name: `Flyte: ${plain(task.task)}`,
    cwd: folder,
    env: store ? { FLYTE_SIDECAR_STORE: store } : {},
  });
  terminal.show();
  terminal.sendText(options.length > 0 ? `${line} ` : line, options.length === 0);
}

/** Returns why the conditions of a local run do not reach the view; undefined if they do. */
async function whyHidden(flyte: string): Promise<string | undefined> {
  if (!(await findIn(path.dirname(await realpath(flyte)), SERVER))) {
    return `flyte-sidecar is not in the Python environment of ${flyte}. Install it there with: pip install flyte-sidecar`;
  }
  if (settings().get("backend") === "flyte") {
    return 'the setting flyteSidecar.backend is "flyte". Select "all" for both.';
  }
  return undefined;
}

function settings(): WorkspaceConfiguration {
  return workspace.getConfiguration("flyteSidecar");
}
