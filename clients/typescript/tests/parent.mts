// Spawns a sidecar, prints its process id, and runs until it is killed.
import { Client } from "flyte-sidecar";

const client = await Client.spawn({ args: process.argv.slice(2) });
process.on("SIGINT", async () => {
  await client.sidecar.status();
  console.log("still running");
});
console.log(client.pid);
await client.closed;
