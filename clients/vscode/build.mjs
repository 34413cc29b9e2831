/**
 * Bundles the extension into one file, and collects the licenses of the packages in it.
 *
 * A package for one platform contains the server, in the folder `bundled`: see `make bundle`.
 */

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const programs = ["bundled/bin/flyte-sidecar", "bundled/Scripts/flyte-sidecar.exe"];
if (existsSync("bundled") && !programs.some((program) => existsSync(program))) {
  throw new Error(`bundled contains no server: ${programs.join(" or ")}`);
}

const { metafile } = await build({
  entryPoints: ["src/extension.ts"],
  outfile: "dist/extension.js",
  bundle: true,
  platform: "node",
  target: "node20",
  format: "cjs",
  external: ["vscode"],
  minify: true,
  keepNames: true,
  metafile: true,
  logLevel: "warning",
});

const folders = new Set(
  Object.keys(metafile.inputs).flatMap(
    (file) => /^node_modules\/(@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? [],
  ),
);
const notices = [...folders].sort().map((folder) => {
  const { name, version } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const license = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
  if (license === undefined) throw new Error(`${name} has no license file`);
  return `${name} ${version}\n\n${readFileSync(`${folder}/${license}`, "utf8").trim()}\n`;
});
writeFileSync("dist/ThirdPartyNotices.txt", notices.join(`\n${"-".repeat(80)}\n\n`));
