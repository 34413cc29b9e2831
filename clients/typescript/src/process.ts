import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { type Command, findCommand, INSTALL } from "./command.js";
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
  /** Resolves when its process, if any, has exited. */
  readonly exit: Promise<ExitInfo>;
  /** Ends it immediately. */
  kill(): void;
}

/** Spawns a sidecar process. */
export async function spawnPeer(options: SpawnOptions): Promise<Peer> {
  const command = findCommand(options);
  try {
    const child = spawn(command.name, options.args ?? [], {
      cwd: options.cwd,
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
    return new SidecarProcess(child, options.stderr);
  } catch (error) {
    if (error instanceof TypeError) throw error; // an invalid option
    throw spawnError(command, options.cwd, error as NodeJS.ErrnoException);
  }
}

function spawnError(
  command: Command,
  cwd: string | URL | undefined,
  cause: NodeJS.ErrnoException,
): SpawnError {
  let reason = `${cause.message}; ${command.source}`;
  // Node reports the command as missing if the working directory does not exist.
  if (cwd !== undefined && !existsSync(cwd)) reason = `the folder ${cwd} does not exist`;
  else if (cause.code === "ENOENT") reason += `; ${INSTALL}`;
  return new SpawnError(`cannot spawn ${JSON.stringify(command.name)}: ${reason}`, { cause });
}

/** Returns a peer at the other end of two streams. */
export function streamPeer(input: Readable, output: Writable): Peer {
  return {
    input,
    output,
    pid: undefined,
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
  readonly exit: Promise<ExitInfo>;
  readonly #child: ChildProcessWithoutNullStreams;

  constructor(child: ChildProcessWithoutNullStreams, log: WritableStream | undefined) {
    this.#child = child;
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
    this.#child.kill("SIGKILL");
    this.#destroyStreams();
  }

  #destroyStreams(): void {
    for (const stream of this.#child.stdio) stream?.destroy();
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
