// The OpenID provider behind TLS, until stdin ends. It reads its options as one line of JSON: `key`
// and `cert` in PEM format, and the clients. Then it writes its port to stdout, and after that each
// request for tokens, and its response, as a line of JSON.
import { Console } from "node:console";
import { createServer } from "node:https";
import { createInterface } from "node:readline";

import { Provider } from "oidc-provider";

globalThis.console = new Console(process.stderr); // stdout belongs to the test

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { key, cert, clients, deviceCodeLifetimes } = JSON.parse((await lines.next()).value);

const server = createServer({ key, cert });
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const { port } = server.address();

const provider = new Provider(`https://127.0.0.1:${port}`, {
  clients,
  cookies: { keys: ["of the tests"] },
  scopes: ["openid", "offline_access", "all"],
  features: {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    resourceIndicators: { enabled: false },
  },
  issueRefreshToken: () => true,
  expiresWithSession: () => false,
  rotateRefreshToken: true,
  ttl: {
    DeviceCode: (_context, _code, client) => deviceCodeLifetimes[client.clientId] ?? 600,
  },
});

provider.use(async (context, next) => {
  await next();
  if (context.path === "/device/auth" && context.status === 200) {
    context.body.interval = 0.05; // seconds; without it, clients wait for 5
  } else if (context.path === "/token") {
    const { body, client } = context.oidc ?? {};
    const { authorization = null } = context.headers;
    const { id_token, ...response } = context.body; // long, and unused
    const record = { request: body, response, authorization, client: client?.clientId };
    process.stdout.write(`${JSON.stringify(record)}\n`);
  }
});

server.on("request", provider.callback());
process.stdout.write(`${port}\n`);
for await (const _ of lines);
process.exit();
