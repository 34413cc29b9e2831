/** The Python environments of the workspace, from the Python extension. */

import path from "node:path";
import { PythonExtension } from "@vscode/python-extension";
import { type Disposable, extensions, type Uri, workspace } from "vscode";
import { findIn } from "./programs.ts";

/**
 * Returns the path of a program in the Python environment of the first folder that has it.
 *
 * Returns undefined if there is none, without the Python extension, and if the workspace, which
 * chooses the environment, is not trusted.
 */
export async function findInEnvironment(
  program: string,
  folders: readonly { readonly uri: Uri }[] = workspace.workspaceFolders ?? [],
): Promise<string | undefined> {
  const api = await pythonExtension();
  if (api === undefined) return undefined;
  for (const { uri } of folders) {
    const active = api.environments.getActiveEnvironmentPath(uri);
    const environment = await api.environments.resolveEnvironment(active);
    const python = environment?.executable.uri?.fsPath;
    if (python === undefined) continue;
    // On Windows, the interpreter of a base environment is not in the folder of its scripts.
    for (const folder of [path.dirname(python), path.join(path.dirname(python), "Scripts")]) {
      const found = await findIn(folder, program);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** Calls a function whenever another Python environment is selected. */
export async function onEnvironmentChange(listener: () => void): Promise<Disposable | undefined> {
  const api = await pythonExtension();
  return api?.environments.onDidChangeActiveEnvironmentPath(listener);
}

async function pythonExtension(): Promise<PythonExtension | undefined> {
  if (!workspace.isTrusted || extensions.getExtension("ms-python.python") === undefined) {
    return undefined;
  }
  // If that extension fails, the search continues without it.
  return PythonExtension.api().catch(() => undefined);
}
