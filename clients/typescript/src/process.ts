import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import type { Readable, Writable } from "node:stream";
import { type Exit, SpawnError } from "./errors.js";
import type { SpawnOptions, WritableStream } from "./options.js";

/** Milliseconds that the other end is given to answer or to end before that is not awaited. */
export const PATIENCE = 15_000;

const TAIL = 4096;

/** The other end of a connection. */
export interface Peer {
  /** What it writes. */
  readonly input: Readable;
  /** What it reads. */
  readonly output: Writable;
  /** The process, if it is one that was spawned here. */
  readonly pid: number | undefined;
  /** How it ended, once its process, if it is one, is gone. */
  readonly exit: Promise<Exit>;
  /** Ends it at once. */
  kill(): void;
}

/** Starts a sidecar process. */
export async function start(options: SpawnOptions): Promise<Peer> {
  const command = options.command ?? "flyte-sidecar";
  try {
    const child = spawn(command, options.args ?? [], {
      cwd: options.cwd,
      env: options.env,
      stdio: ["pipe", "pipe", "pipe"],
      // A terminal's Ctrl-C is for this process, which ends the sidecar when it is done with it.
      detached: process.platform !== "win32",
      windowsHide: true,
    });
    await new Promise((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", reject);
    });
    return new SidecarProcess(child, options.stderr);
  } catch (error) {
    if (error instanceof TypeError) throw error; // Node's word on bad options
    throw refused(command, options.cwd, error as NodeJS.ErrnoException);
  }
}

function refused(
  command: string,
  cwd: string | URL | undefined,
  cause: NodeJS.ErrnoException,
): SpawnError {
  let why = cause.message;
  // Node says the same where the folder is what does not exist.
  if (cwd !== undefined && !existsSync(cwd)) why = `there is no folder ${cwd}`;
  else if (cause.code === "ENOENT") why += "; install flyte-sidecar (pip), or give the command";
  return new SpawnError(`cannot start ${JSON.stringify(command)}: ${why}`, { cause });
}

/** Takes a pair of streams for the other end. */
export function streams(input: Readable, output: Writable): Peer {
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
  readonly exit: Promise<Exit>;
  readonly #child: ChildProcessWithoutNullStreams;

  constructor(child: ChildProcessWithoutNullStreams, log: WritableStream | undefined) {
    this.#child = child;
    this.input = child.stdout;
    this.output = child.stdin;
    this.pid = child.pid;
    child.on("error", () => {}); // a kill that failed: the exit tells
    child.stderr.on("error", () => {});
    const tail = new Tail();
    let running = true;
    child.stderr.on("data", (chunk: Buffer) => {
      tail.add(chunk);
      // While the stream takes no more, the sidecar drops log lines. Its last ones are taken.
      if (log?.writable && !log.write(chunk) && running) hold(child.stderr, log);
    });
    child.once("exit", () => {
      running = false;
      child.stderr.resume();
    });
    this.exit = new Promise((resolve) => {
      // What it left behind may hold its output open.
      child.once("exit", () => {
        const timer = setTimeout(() => this.#release(), PATIENCE);
        child.once("close", () => clearTimeout(timer));
      });
      child.once("close", (exitCode, signal) => {
        resolve({ exitCode, signal, stderr: tail.text() });
      });
    });
  }

  kill(): void {
    this.#child.kill("SIGKILL");
    this.#release();
  }

  #release(): void {
    for (const stream of this.#child.stdio) stream?.destroy();
  }
}

/** Reads nothing more of a stream until another one takes more, or is closed. */
function hold(from: Readable, into: WritableStream): void {
  const resume = (): void => {
    into.off("drain", resume).off("close", resume);
    from.resume();
  };
  into.on("drain", resume).on("close", resume);
  from.pause();
}

/** The last bytes of a log. */
class Tail {
  #bytes = Buffer.alloc(0);
  #cut = false;

  add(chunk: Buffer): void {
    const bytes = Buffer.concat([this.#bytes, chunk]);
    this.#cut ||= bytes.length > TAIL;
    this.#bytes = bytes.subarray(-TAIL);
  }

  text(): string {
    const text = this.#bytes.toString().trimEnd();
    return this.#cut ? text.slice(text.indexOf("\n") + 1) : text;
  }
}
