// Measures the overhead of the client: events.get over bare pipes and through Client.
//
//   node bench/overhead.mjs STORE COUNT
//
// Prints one JSON object: the p50 and p99 of sequential round trips in milliseconds, and pipelined
// requests per second.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Client } from "flyte-sidecar";

const [store, count] = [process.argv[2], Number(process.argv[3])];
if (!store || !(count > 0)) {
  console.error("usage: node bench/overhead.mjs STORE COUNT");
  process.exit(2);
}
const args = ["--store", store];
const target = { runName: "bench", name: `event-${process.pid}` };

async function viaPipes() {
  const sidecar = spawn("flyte-sidecar", args, { stdio: ["pipe", "pipe", "inherit"] });
  const pending = new Map();
  let next = 0;
  let rest = "";
  sidecar.stdout.setEncoding("utf8").on("data", (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const { id, result } = JSON.parse(line);
      pending.get(id)(result);
      pending.delete(id);
    }
  });
  const request = (method, params) => {
    const id = next++;
    sidecar.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    return new Promise((resolve) => pending.set(id, resolve));
  };
  const measured = await measure(() => request("events.get", target));
  sidecar.stdin.end();
  await once(sidecar, "close");
  return measured;
}

async function viaClient() {
  const client = await Client.spawn({ args });
  const measured = await measure(() => client.events.get(target));
  await client.close();
  return measured;
}

async function measure(get) {
  for (let i = 0; i < 5000; i += 1) await get(); // until the JIT has compiled the code
  const times = [];
  for (let i = 0; i < count; i += 1) {
    const start = performance.now();
    await get();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const start = performance.now();
  await Promise.all(Array.from({ length: count }, get));
  const seconds = (performance.now() - start) / 1000;
  const at = (share) => Number(times[Math.floor((count - 1) * share)].toFixed(3));
  return { p50: at(0.5), p99: at(0.99), perSecond: Math.round(count / seconds) };
}

const client = await Client.spawn({ args });
await client.events.create(target);
await client.close();
console.log(JSON.stringify({ count, raw: await viaPipes(), client: await viaClient() }));
