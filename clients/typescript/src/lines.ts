import { finished, type Readable, type Writable } from "node:stream";
import {
  AbstractMessageReader,
  AbstractMessageWriter,
  type DataCallback,
  Disposable,
  type Message,
  type MessageReader,
  type MessageWriter,
} from "vscode-jsonrpc/node";
import { EncodedParams } from "./payload.js";

// The readers that come with vscode-jsonrpc say that the stream is closed before they have
// delivered what it held, which loses the last replies, and take endless output that is no
// protocol without a word.

const NEWLINE = 0x0a;

/** Reads messages, one a line, and tells of the end once every message was handled. */
export class LineReader extends AbstractMessageReader implements MessageReader {
  readonly #input: Readable;
  #line: Buffer[] = [];
  #unhandled = 0;
  #ended = false;

  constructor(input: Readable) {
    super();
    this.#input = input;
  }

  listen(callback: DataCallback): Disposable {
    const read = (chunk: Buffer | string): void => {
      try {
        this.#read(typeof chunk === "string" ? Buffer.from(chunk) : chunk, callback);
      } catch (error) {
        this.#input.off("data", read);
        this.fireError(error);
      }
    };
    this.#input.on("data", read);
    finished(this.#input, { writable: false }, () => {
      this.#ended = true;
      this.#close();
    });
    return Disposable.create(() => this.#input.off("data", read));
  }

  /** Takes note that a message was handled. */
  handled(): void {
    this.#unhandled -= 1;
    this.#close();
  }

  #close(): void {
    if (this.#ended && this.#unhandled === 0) this.fireClose();
  }

  #read(chunk: Buffer, callback: DataCallback): void {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#line.push(chunk.subarray(start, end));
      this.#take(Buffer.concat(this.#line).toString(), callback);
      this.#line = [];
      start = end + 1;
    }
    if (start < chunk.length) this.#line.push(chunk.subarray(start));
    // Without a look at its beginning, a line of anything but JSON might never end.
    const first = this.#line[0]?.toString("latin1", 0, 80).trimStart();
    if (first && !first.startsWith("{")) throw unreadable(first);
  }

  #take(line: string, callback: DataCallback): void {
    if (line.trim() === "") return;
    const message = parse(line);
    this.#unhandled += 1;
    callback(message);
  }
}

/** Writes messages, one a line. */
export class LineWriter extends AbstractMessageWriter implements MessageWriter {
  readonly #output: Writable;

  constructor(output: Writable) {
    super();
    this.#output = output;
    output.on("error", (error) => this.fireError(error));
  }

  write(message: Message): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: Error | null): void => (error ? reject(error) : resolve());
      // Writing after the end would destroy the stream with all that it still holds.
      if (!this.#output.writable) settle(new Error("the stream has ended"));
      else this.#output.write(`${serialize(message)}\n`, settle);
    });
  }

  end(): void {
    this.#output.end();
  }
}

function parse(line: string): Message {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    throw unreadable(line);
  }
  if (typeof message !== "object" || message === null || !("jsonrpc" in message)) {
    throw unreadable(line);
  }
  return message as Message;
}

function unreadable(line: string): Error {
  const start = line.length > 80 ? `${line.slice(0, 80)}...` : line;
  return new Error(`it is not JSON-RPC: ${JSON.stringify(start)}`);
}

function serialize(message: Message & { params?: unknown }): string {
  const { params, ...envelope } = message;
  if (!(params instanceof EncodedParams)) return JSON.stringify(message);
  return `${JSON.stringify(envelope).slice(0, -1)},"params":${params.json}}`;
}
