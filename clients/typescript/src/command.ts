import type { SpawnOptions } from "./options.js";

/** How to install the command. */
export const INSTALL =
  "install flyte-sidecar with `uv tool install flyte-sidecar`, `pipx install flyte-sidecar`" +
  " or `pip install flyte-sidecar`";

/** The command of a sidecar. */
export interface Command {
  readonly name: string;
  /** Where the name is from, for errors. */
  readonly source: string;
}

/** Returns the command that the options, else the environment, else the default select. */
export function findCommand({ command, env = process.env }: SpawnOptions): Command {
  if (command !== undefined) return { name: command, source: "the option `command` selects it" };
  if (env.FLYTE_SIDECAR) return { name: env.FLYTE_SIDECAR, source: "FLYTE_SIDECAR selects it" };
  return {
    name: "flyte-sidecar",
    source: "neither the option `command` nor FLYTE_SIDECAR is set, so it is searched on the PATH",
  };
}
