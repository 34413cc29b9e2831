/** Which program is the server. */

import { homedir } from "node:os";
import path from "node:path";
import { workspace } from "vscode";
import { findIn, findProgram } from "./programs.ts";
import { findInEnvironment } from "./python.ts";

/** The name of the server's program. */
export const SERVER = "flyte-sidecar";

/** A command that starts the server. */
export interface ServerCommand {
  /** The absolute path of the program. */
  readonly program: string;
  readonly args: readonly string[];
  /** Where it was found, for a person. */
  readonly source: string;
}

/** Returns where `findServer` looks, for a person. */
export function searched(extension: string): string {
  return (
    "the setting flyteSidecar.command (not set), the variable FLYTE_SIDECAR (not set)," +
    ` ${bundledFolder(extension)}, the Python environment of the workspace if you trust it,` +
    ` and the folders of PATH (${process.env.PATH ?? "not set"})`
  );
}

/**
 * Returns the command that starts the server, undefined if it is not installed.
 *
 * @param extension the folder of the extension
 * @throws {Error} if the setting or the environment variable names no program
 */
export async function findServer(extension: string): Promise<ServerCommand | undefined> {
  const [configured, ...args] = workspace
    .getConfiguration("flyteSidecar")
    .get<readonly string[]>("command", []);
  if (configured) {
    return { ...(await chosen(configured, "the setting flyteSidecar.command")), args };
  }
  const variable = process.env.FLYTE_SIDECAR;
  if (variable) return { ...(await chosen(variable, "the variable FLYTE_SIDECAR")), args: [] };
  for (const [find, source] of [
    [() => findIn(bundledFolder(extension), SERVER), "the extension"],
    [() => findInEnvironment(SERVER), "the Python environment of the workspace"],
    [() => findProgram(SERVER), "PATH"],
  ] as const) {
    const program = await find();
    if (program !== undefined) return { program, args: [], source };
  }
  return undefined;
}

/** Returns the folder of the server in a package of the extension for one platform. */
function bundledFolder(extension: string): string {
  return path.join(extension, "bundled", process.platform === "win32" ? "Scripts" : "bin");
}

/**
 * Returns the command that downloads the server and starts it; undefined without uv.
 *
 * The extra contains what logins at a deployment need: nobody could add it to an environment that uvx
 * creates.
 */
export async function findUvx(version: string): Promise<ServerCommand | undefined> {
  const program = await findProgram("uvx");
  if (program === undefined) return undefined;
  const args = ["--from", `${SERVER}[flyte]==${version}`, SERVER];
  return { program, args, source: "uvx, as you agreed" };
}

/**
 * Returns the folder in which the server starts, where it may find the config file of Flyte. A
 * workspace that is not trusted must not select a deployment by such a file.
 */
export function serverFolder(): string {
  const folder = workspace.workspaceFolders?.find(({ uri }) => uri.scheme === "file");
  return workspace.isTrusted && folder !== undefined ? folder.uri.fsPath : homedir();
}

async function chosen(
  command: string,
  source: string,
): Promise<Pick<ServerCommand, "program" | "source">> {
  const home = command.startsWith("~/") ? path.join(homedir(), command.slice(2)) : command;
  const program = await findProgram(home);
  if (program === undefined) {
    throw new Error(
      `${source} is ${JSON.stringify(command)}, which is neither a program in PATH nor the absolute path of one`,
    );
  }
  return { program, source };
}
