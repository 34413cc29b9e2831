// A sidecar that a test simulates, at the other end of streams in memory.
import { PassThrough } from "node:stream";
import { Client, PROTOCOL_VERSION } from "flyte-sidecar";

/** A decoded message. */
export interface Message {
  id?: number | string | null;
  method?: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test may read any member
  params?: any;
  result?: unknown;
  error?: unknown;
}

/** The result of `initialize`. */
export const INITIALIZE_RESULT = {
  capabilities: {},
  serverInfo: { name: "flyte-sidecar", version: "0.1.0" },
  protocolVersion: PROTOCOL_VERSION,
  schemaHash: "0123456789abcdef",
  backend: { kind: "local", endpoint: null, org: null, project: "local", domain: "local" },
};

export class FakeSidecar {
  /** The output of the sidecar. */
  readonly input = new PassThrough();
  /** The input of the sidecar. */
  readonly output = new PassThrough();
  /** Lines of the client that the test has not received yet. */
  readonly lines: string[] = [];
  #rest = "";
  #wake = (): void => {};

  constructor() {
    this.output.setEncoding("utf8");
    this.output.on("data", (text: string) => {
      const lines = (this.#rest + text).split("\n");
      this.#rest = lines.pop() ?? "";
      this.lines.push(...lines);
      this.#wake();
    });
  }

  /** Attaches a client and responds to `initialize` with the result. */
  static async attach(
    result: unknown = INITIALIZE_RESULT,
  ): Promise<{ fake: FakeSidecar; client: Client }> {
    const fake = new FakeSidecar();
    const opening = Client.attach(fake);
    await fake.respond("initialize", result);
    const client = await opening;
    await fake.receive(); // initialized
    return { fake, client };
  }

  async receive(): Promise<Message> {
    return JSON.parse(await this.line());
  }

  async line(): Promise<string> {
    for (;;) {
      const line = this.lines.shift();
      if (line !== undefined) return line;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  send(...messages: Message[]): void {
    const lines = messages.map((message) => JSON.stringify({ jsonrpc: "2.0", ...message }));
    this.input.write(`${lines.join("\n")}\n`);
  }

  /** Receives a request, which must have the method, and responds with a result. */
  async respond(method: string, result: unknown): Promise<Message> {
    const request = await this.receive();
    if (request.method !== method) throw new Error(`received ${request.method}, not ${method}`);
    this.send({ id: request.id ?? null, result });
    return request;
  }

  /** Receives a request and responds with an error. */
  async respondError(code: number, message: string, data: unknown): Promise<void> {
    const { id = null } = await this.receive();
    this.send({ id, error: { code, message, data } });
  }

  /** Resolves when the client has handled all earlier messages. */
  async flush(client: Client): Promise<void> {
    const call = client.sidecar.status();
    await this.respond("sidecar.status", {});
    await call;
  }

  /** Ends the output when the input ends, as a sidecar does. */
  endWithInput(): void {
    this.output.on("end", () => this.input.end());
  }
}
