import { accessSync, constants, statSync } from "node:fs";
import { homedir } from "node:os";
import { basename, delimiter, isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { bundledCommand } from "./bundled.js";
import { SpawnError } from "./errors.js";
import { VERSION } from "./generated/version.js";
import type { SpawnOptions } from "./options.js";

/** How to install the command. */
export const INSTALL =
  "install flyte-sidecar with `uv tool install flyte-sidecar`, `pipx install flyte-sidecar`" +
  " or `pip install flyte-sidecar`";

/** The name of the command. */
const NAME = "flyte-sidecar";

/** The package that contains the command for this platform. */
const BUNDLE = `@flyte-sidecar/${process.platform}-${process.arch}`;

/**
 * The arguments with which uvx runs the version of this package. The extra contains what logins at a
 * deployment need: nobody could add it to an environment that uvx creates.
 */
const UVX_ARGUMENTS = ["--from", `${NAME}[flyte]==${VERSION}`, NAME];

/** Where a command was found: the sources are searched in this order. */
export type CommandSource = "option" | "environment" | "bundled" | "path" | "uvx";

/** The command that runs a sidecar. */
export interface SidecarCommand {
  /** The absolute path of the program. */
  readonly program: string;
  /** The arguments before those of `SpawnOptions.args`. */
  readonly args: readonly string[];
  /** Where the program was found. */
  readonly source: CommandSource;
  /** Why this command is used, for a person. */
  readonly reason: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Returns the command that the options and their environment select: the option `command`, else
 * `FLYTE_SIDECAR`, else the bundled one, else one on the `PATH`, else uvx.
 *
 * Programs for which `isLauncher` returns true are skipped.
 *
 * @throws {SpawnError} if the selected one does not exist, or none is found
 */
export function findCommand(
  { command, cwd, env = process.env }: SpawnOptions,
  isLauncher: (program: string) => boolean = () => false,
): SidecarCommand {
  const search = variable(env, "PATH") ?? "";
  if (command !== undefined) {
    const program = selected(command, "the option `command`", cwd, search);
    return { program, args: [], source: "option", reason: "the option `command` selects it" };
  }
  const named = variable(env, "FLYTE_SIDECAR");
  if (named) {
    const program = selected(named, "FLYTE_SIDECAR", cwd, search);
    const reason = "FLYTE_SIDECAR selects it";
    if (!isLauncher(program)) return { program, args: [], source: "environment", reason };
  }
  const bundled = bundledCommand();
  if (bundled !== undefined) {
    const reason = `the package ${BUNDLE} is installed`;
    return { program: bundled, args: [], source: "bundled", reason };
  }
  const onPath = searchPath(NAME, search, isLauncher);
  if (onPath !== undefined) {
    return { program: onPath, args: [], source: "path", reason: "it is on the PATH" };
  }
  const uvx = searchPath("uvx", search);
  if (uvx !== undefined) {
    const reason = `${NAME} was not found, and uvx is on the PATH`;
    return { program: uvx, args: UVX_ARGUMENTS, source: "uvx", reason };
  }
  throw new SpawnError(
    `${NAME} was not found. Tried: the option \`command\` (not set), FLYTE_SIDECAR` +
      ` (${named ? "selects the launcher of this package" : "not set"}), the package ${BUNDLE} (not` +
      ` installed: npm installs it with this one on supported platforms, unless it omits optional` +
      ` dependencies), ${NAME} and uvx in the folders of the PATH (${search || "not set"}); ${INSTALL}`,
  );
}

/** Returns the absolute path of a command that somebody has selected. */
function selected(
  command: string,
  source: string,
  cwd: string | URL | undefined,
  search: string,
): string {
  const describe = `cannot spawn ${JSON.stringify(command)}: ${source} selects it, but`;
  if (basename(command) === command) {
    const found = searchPath(command, search);
    if (found !== undefined) return found;
    throw new SpawnError(
      `${describe} no folder of the PATH (${search || "not set"}) has a program of this name; ${INSTALL}`,
    );
  }
  const path = command.startsWith("~/") ? join(homedir(), command.slice(2)) : command;
  const folder = cwd instanceof URL ? fileURLToPath(cwd) : (cwd ?? "");
  const program = withSuffix(resolve(folder, path));
  const problem = problemOf(program);
  if (problem === undefined) return program;
  throw new SpawnError(`${describe} ${problem}; ${INSTALL}`);
}

/**
 * Returns the path of a program in the folders of a search path. Empty and relative entries are
 * skipped: they depend on the working directory.
 */
function searchPath(
  name: string,
  search: string,
  isSkipped: (program: string) => boolean = () => false,
): string | undefined {
  return search
    .split(delimiter)
    .filter(isAbsolute)
    .map((folder) => withSuffix(join(folder, name)))
    .find((file) => problemOf(file) === undefined && !isSkipped(file));
}

/** Returns why a file is not a program; undefined if it is one. */
function problemOf(file: string): string | undefined {
  try {
    if (!statSync(file).isFile()) return `${file} is not a file`;
    accessSync(file, constants.X_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "EACCES" ? `${file} is not executable` : `${file} does not exist`;
  }
}

/** Returns the path of a program. On Windows, scripts (`.cmd`) need a shell, so it is an `.exe`. */
function withSuffix(file: string): string {
  return process.platform === "win32" && !/\.exe$/i.test(file) ? `${file}.exe` : file;
}

/** Returns the value of a variable. On Windows, names have no case, but copies of the environment do. */
function variable(env: Environment, name: string): string | undefined {
  if (process.platform !== "win32") return env[name];
  const key = Object.keys(env).find((each) => each.toUpperCase() === name);
  return key === undefined ? undefined : env[key];
}
