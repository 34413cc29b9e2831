// Stands in for a sidecar, at the other end of streams in memory.
import { PassThrough } from "node:stream";
import { Client, PROTOCOL_VERSION } from "flyte-sidecar";

/** A message, as JSON has it. */
export interface Message {
  id?: number | string | null;
  method?: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test may look at anything that was said
  params?: any;
  result?: unknown;
  error?: unknown;
}

/** What a sidecar says of itself. */
export const HELLO = {
  capabilities: {},
  serverInfo: { name: "flyte-sidecar", version: "0.1.0" },
  protocolVersion: PROTOCOL_VERSION,
  schemaHash: "0123456789abcdef",
  backend: { kind: "local", endpoint: null, org: null, project: "local", domain: "local" },
};

export class Player {
  /** What the sidecar writes. */
  readonly input = new PassThrough();
  /** What the sidecar reads. */
  readonly output = new PassThrough();
  /** The lines that came and were not received yet. */
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

  /** Opens a client, to which the sidecar says hello with a result. */
  static async meet(hello: unknown = HELLO): Promise<{ player: Player; client: Client }> {
    const player = new Player();
    const opening = Client.attach(player);
    await player.answer("initialize", hello);
    const client = await opening;
    await player.receive(); // initialized
    return { player, client };
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

  /** Receives a request for a method and answers it. */
  async answer(method: string, result: unknown): Promise<Message> {
    const request = await this.receive();
    if (request.method !== method) throw new Error(`got ${request.method} instead of ${method}`);
    this.send({ id: request.id ?? null, result });
    return request;
  }

  async refuse(code: number, message: string, data: unknown): Promise<void> {
    const { id = null } = await this.receive();
    this.send({ id, error: { code, message, data } });
  }

  /** Settles once the client has handled all that was sent before. */
  async handled(client: Client): Promise<void> {
    const call = client.sidecar.status();
    await this.answer("sidecar.status", {});
    await call;
  }

  /** Ends as a sidecar does when its input has ended. */
  endWithInput(): void {
    this.output.on("end", () => this.input.end());
  }
}
