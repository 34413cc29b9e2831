// Real sidecars, with one store per test.
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Client, SpawnError, type SpawnOptions } from "flyte-sidecar";

const cleanups = new WeakMap<TestContext, (() => Promise<void>)[]>();

/** Runs a cleanup after the test; unlike `t.after`, in reverse order. */
function after(t: TestContext, cleanup: () => Promise<void>): void {
  const all = cleanups.get(t) ?? [];
  if (all.length === 0) {
    cleanups.set(t, all);
    t.after(async () => {
      for (const one of all.reverse()) await one();
    });
  }
  all.push(cleanup);
}

/** Returns arguments for a store that is removed after the test. */
export async function store(t: TestContext): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), "flyte-sidecar-"));
  after(t, () => rm(folder, { recursive: true, force: true }));
  return ["--store", join(folder, "events.db")];
}

/** Spawns a sidecar that is closed after the test. */
export async function spawn(t: TestContext, options: SpawnOptions = {}): Promise<Client> {
  const args = options.args ?? (await store(t));
  const client = await Client.spawn({ ...options, args }).catch((error) => {
    if (!(error instanceof SpawnError)) throw error;
    throw new Error(
      "these tests need flyte-sidecar on the PATH: `make run` installs it in .venv/bin",
    );
  });
  after(t, () => client.close());
  return client;
}

/** Resolves when a sidecar has this number of open waits and watches. */
export async function awaitOpen(client: Client, waits: number, watches = 0): Promise<void> {
  for (;;) {
    const { counters } = await client.sidecar.status();
    if (counters.waits === waits && counters.watches === watches) return;
  }
}

/** Returns the error that a call rejects with. */
export async function rejection<Failure extends Error>(
  call: Promise<unknown>,
  type: abstract new (...args: never[]) => Failure,
): Promise<Failure> {
  try {
    await call;
  } catch (error) {
    if (error instanceof type) return error;
    throw error;
  }
  throw new Error(`the call resolved instead of rejecting with a ${type.name}`);
}

/** Returns all items of an iterator. */
export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Returns whether a process has exited, even if it is still a zombie. */
export function hasExited(pid = 0): boolean {
  try {
    process.kill(pid, 0);
    return /^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return true;
  }
}
