// Real sidecars, each test's on a store of its own.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Client, SpawnError, type SpawnOptions } from "flyte-sidecar";

const undoing = new WeakMap<TestContext, (() => Promise<void>)[]>();

/** Undoes something after the test, the last thing first, which `t.after` does not. */
function after(t: TestContext, undo: () => Promise<void>): void {
  const all = undoing.get(t) ?? [];
  if (all.length === 0) {
    undoing.set(t, all);
    t.after(async () => {
      for (const one of all.reverse()) await one();
    });
  }
  all.push(undo);
}

/** Gives arguments for a store that is removed after the test. */
export async function store(t: TestContext): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "flyte-sidecar-"));
  after(t, () => rm(folder, { recursive: true, force: true }));
  return ["--store", join(folder, "events.db")];
}

/** Starts a sidecar that is ended after the test. */
export async function spawn(t: TestContext, options: SpawnOptions = {}): Promise<Client> {
  const args = options.args ?? (await store(t));
  const client = await Client.spawn({ ...options, args }).catch((error) => {
    if (!(error instanceof SpawnError)) throw error;
    throw new Error("these tests need flyte-sidecar on the PATH: `make run` puts it in .venv/bin");
  });
  after(t, () => client.close());
  return client;
}

/** Settles once a sidecar has so many open waits and watches. */
export async function busy(client: Client, waits: number, watches = 0): Promise<void> {
  for (;;) {
    const { counters } = await client.sidecar.status();
    if (counters.waits === waits && counters.watches === watches) return;
  }
}

/** Gives what a call is rejected with. */
export async function failure<Failure extends Error>(
  call: Promise<unknown>,
  type: abstract new (...args: never[]) => Failure,
): Promise<Failure> {
  try {
    await call;
  } catch (error) {
    if (error instanceof type) return error;
    throw error;
  }
  throw new Error(`the call succeeded, instead of failing with a ${type.name}`);
}

/** Gives all that an iterator yields. */
export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}
