import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { findCommand, type SidecarCommand } from "./command.js";
import { type ExitInfo, SpawnError } from "./errors.js";
import type { SpawnOptions, WritableStream } from "./options.js";

/** Milliseconds that a sidecar may take to exit after the end of its input. */
export const CLOSE_TIMEOUT = 15_000;

/** The size of the kept end of stderr, in bytes. */
const TAIL_SIZE = 4096;

/** The other end of a connection. */
export interface Peer {
  /** The stream of its messages. */
  readonly input: Readable;
  /** The stream of messages to it. */
  readonly output: Writable;
  /** The process id; undefined if the client did not spawn it. */
  readonly pid: number | undefined;
  /** The command of the process; undefined if the client did not spawn it. */
  readonly command: SidecarCommand | undefined;
  /** Resolves when its process, if any, has exited. */
  readonly exit: Promise<ExitInfo>;
  /** Ends it immediately. */
  kill(): void;
}

/** Spawns a sidecar process. */
export async function spawnPeer(options: SpawnOptions): Promise<Peer> {
  const { cwd } = options;
  if (cwd !== undefined && !existsSync(cwd)) {
    throw new SpawnError(`cannot spawn a sidecar: the folder ${cwd} does not exist`);
  }
  const command = findCommand(options);
  try {
    const child = spawn(command.program, [...command.args, ...(options.args ?? [])], {
      cwd,
      env: options.env,
      stdio: ["pipe", "pipe", "pipe"],
      // Keeps a Ctrl-C of the terminal from the sidecar: this process ends it.
      detached: process.platform !== "win32",
      windowsHide: true,
    });
    await new Promise((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", reject);
    });
    return new SidecarProcess(child, command, options.stderr);
  } catch (error) {
    if (error instanceof TypeError) throw error; // an invalid option
    throw spawnError(command, error as NodeJS.ErrnoException);
  }
}

function spawnError({ program, reason }: SidecarCommand, cause: NodeJS.ErrnoException): SpawnError {
  const detail =
    cause.code === "ENOENT"
      ? "the file exists, but not the interpreter or the loader that it needs"
      : cause.message;
  const message = `cannot spawn ${JSON.stringify(program)}: ${detail}; ${reason}`;
  return new SpawnError(message, { cause });
}

/** Returns a peer at the other end of two streams. */
export function streamPeer(input: Readable, output: Writable): Peer {
  return {
    input,
    output,
    pid: undefined,
    command: undefined,
    exit: Promise.resolve({ exitCode: null, signal: null, stderr: "" }),
    kill() {
      input.destroy();
      output.destroy();
    },
  };
}

class SidecarProcess implements Peer {
  readonly input: Readable;
  readonly output: Writable;
  readonly pid: number | undefined;
  readonly command: SidecarCommand;
  readonly exit: Promise<ExitInfo>;
  readonly #child: ChildProcessWithoutNullStreams;

  constructor(
    child: ChildProcessWithoutNullStreams,
    command: SidecarCommand,
    log: WritableStream | undefined,
  ) {
    this.#child = child;
    this.command = command;
    this.input = child.stdout;
    this.output = child.stdin;
    this.pid = child.pid;
    child.on("error", () => {}); // a failed kill: `exit` reports how the process ends
    child.stderr.on("error", () => {});
    const tail = new Tail();
    let running = true;
    child.stderr.on("data", (chunk: Buffer) => {
      tail.add(chunk);
      // Back-pressure: while `log` is full, the sidecar drops log lines. The last ones are kept.
      if (log?.writable && !log.write(chunk) && running) pauseUntilDrained(child.stderr, log);
    });
    child.once("exit", () => {
      running = false;
      child.stderr.resume();
    });
    this.exit = new Promise((resolve) => {
      // A child process of the sidecar may keep its output open.
      child.once("exit", () => {
        const timer = setTimeout(() => this.#destroyStreams(), CLOSE_TIMEOUT);
        child.once("close", () => clearTimeout(timer));
      });
      child.once("close", (exitCode, signal) => {
        resolve({ exitCode, signal, stderr: tail.text() });
      });
    });
  }

  kill(): void {
    const { pid, exitCode, signalCode } = this.#child;
    const running = exitCode === null && signalCode === null;
    // Its process group contains the sidecar that a launcher such as uvx runs.
    if (pid !== undefined && running && process.platform !== "win32") killGroup(pid);
    else this.#child.kill("SIGKILL");
    this.#destroyStreams();
  }

  #destroyStreams(): void {
    for (const stream of this.#child.stdio) stream?.destroy();
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has just exited.
  }
}

/** Pauses a stream until another one has drained or is closed. */
function pauseUntilDrained(source: Readable, target: WritableStream): void {
  const resume = (): void => {
    target.off("drain", resume).off("close", resume);
    source.resume();
  };
  target.on("drain", resume).on("close", resume);
  source.pause();
}

/** The last bytes of a stream. */
class Tail {
  #bytes = Buffer.alloc(0);
  #cut = false;

  add(chunk: Buffer): void {
    const bytes = Buffer.concat([this.#bytes, chunk]);
    this.#cut ||= bytes.length > TAIL_SIZE;
    this.#bytes = bytes.subarray(-TAIL_SIZE);
  }

  text(): string {
    const text = this.#bytes.toString().trimEnd();
    return this.#cut ? text.slice(text.indexOf("\n") + 1) : text;
  }
}
