// Starts a sidecar, says which process it is, and stays until it is killed.
import { Client } from "flyte-sidecar";

const client = await Client.spawn({ args: process.argv.slice(2) });
process.on("SIGINT", async () => {
  await client.sidecar.status();
  console.log("still served");
});
console.log(client.pid);
await client.closed;
