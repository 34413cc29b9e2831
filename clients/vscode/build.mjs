/**
 * Bundles the extension into one file, and collects the licenses of the packages in it.
 *
 * For a package with the server, BUNDLED is a folder that contains it and can be moved, such as an
 * npm package of one platform. It is copied without symbolic links: packages of extensions have none.
 */

import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const { BUNDLED } = process.env;
rmSync("bundled", { recursive: true, force: true });
if (BUNDLED) {
  const programs = ["bin/flyte-sidecar", "Scripts/flyte-sidecar.exe"];
  if (!programs.some((program) => existsSync(`${BUNDLED}/${program}`))) {
    throw new Error(`BUNDLED=${BUNDLED} contains neither ${programs.join(" nor ")}`);
  }
  cpSync(BUNDLED, "bundled", { recursive: true, dereference: true });
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
