#!/usr/bin/env node
// The launcher: runs the command that the client finds, in place of this process where possible.
import { spawn } from "node:child_process";
import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { constants } from "node:os";
import { delimiter } from "node:path";
import { isatty } from "node:tty";
import { findCommand } from "./command.js";
import { SpawnError } from "./errors.js";

/** The signals that are passed on. */
const SIGNALS = ["SIGTERM", "SIGHUP", "SIGINT"] as const;

/** The path of this module in an installation, as links and the scripts of package managers name it. */
const ENTRY = /flyte-sidecar[\\/]dist[\\/]cli\.js/;

/** The size of the largest script that may be a launcher, in bytes. */
const MAX_SCRIPT = 8192;

/** Replaces this process by another program. Node has it since 22.15, except on Windows. */
type Execve = (file: string, args: readonly string[], env: NodeJS.ProcessEnv) => never;

const SHELL = "/bin/sh";

/**
 * The variable with the programs that launchers have started. One that has led to a launcher again,
 * as a shim of a version manager does, is skipped.
 */
const LAUNCHED = "FLYTE_SIDECAR_LAUNCHED";

function launched(): string[] {
  return process.env[LAUNCHED]?.split(delimiter) ?? [];
}

/** Returns whether a program is a launcher like this one: it would find this one again. */
function isLauncher(file: string): boolean {
  if (launched().includes(file)) return true;
  const path = realpathSync(file);
  if (path === __filename || ENTRY.test(path)) return true;
  return statSync(path).size <= MAX_SCRIPT && ENTRY.test(readFileSync(path, "latin1"));
}

/** Runs a program as a child process, and ends as it does. */
function runChild(program: string, args: readonly string[], env: NodeJS.ProcessEnv): void {
  const onTerminal = [0, 1, 2].some(isatty);
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      // A terminal sends its Ctrl-C to the child too, and so does Windows.
      if (signal !== "SIGINT" || (!onTerminal && process.platform !== "win32")) child.kill(signal);
    });
  }
  const child = spawn(program, args, { stdio: "inherit", env });
  child.once("error", (error) => fail(`cannot run ${JSON.stringify(program)}: ${error.message}`));
  child.once("exit", (status, signal) => {
    for (const each of SIGNALS) process.removeAllListeners(each);
    if (signal !== null) process.kill(process.pid, signal);
    process.exitCode = status ?? 128 + constants.signals[signal as NodeJS.Signals];
  });
}

function fail(message: string): void {
  process.stderr.write(`flyte-sidecar: ${message}\n`);
  process.exitCode = 1;
}

function main(args: readonly string[]): void {
  const { execve } = process as { execve?: Execve };
  try {
    const command = findCommand({}, isLauncher);
    const { program } = command;
    const env = { ...process.env, [LAUNCHED]: [...launched(), program].join(delimiter) };
    if (execve !== undefined && process.platform !== "win32" && existsSync(SHELL)) {
      // If a program cannot be run, Node aborts, and a shell prints why.
      const run = ["sh", "-c", 'exec "$0" "$@"', program];
      execve.call(process, SHELL, [...run, ...command.args, ...args], env);
    }
    // The command ends when this process does, even by SIGKILL.
    const parent = ["--parent-pid", String(process.pid)];
    runChild(program, [...command.args, ...parent, ...args], env);
  } catch (error) {
    if (!(error instanceof SpawnError)) throw error;
    fail(error.message);
  }
}

main(process.argv.slice(2));
