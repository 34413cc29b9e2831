/** Programs on this machine. */

import { access, constants, stat } from "node:fs/promises";
import path from "node:path";

const SUFFIX = process.platform === "win32" ? ".exe" : "";

/**
 * Returns the absolute path of a program, which is a name to look up in `PATH` or an absolute path;
 * undefined if there is none.
 *
 * Other paths, and other entries of `PATH`, are relative to a folder that may be the workspace.
 */
export async function findProgram(
  program: string,
  searchPath = process.env.PATH ?? "",
): Promise<string | undefined> {
  if (path.basename(program) === program) {
    for (const folder of searchPath.split(path.delimiter)) {
      const found = await findIn(folder, program);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return findIn(path.dirname(program), path.basename(program));
}

/** Returns the path of a program in a folder, undefined if there is none. */
export async function findIn(folder: string, program: string): Promise<string | undefined> {
  if (!path.isAbsolute(folder)) return undefined;
  const file = path.join(folder, program.endsWith(SUFFIX) ? program : program + SUFFIX);
  return (await isExecutable(file)) ? file : undefined;
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}
