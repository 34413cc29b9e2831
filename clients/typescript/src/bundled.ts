/** Returns the path of the command in the npm package of this platform, if it is installed. */
export function bundledCommand(): string | undefined {
  const file = process.platform === "win32" ? "Scripts/flyte-sidecar.exe" : "bin/flyte-sidecar";
  try {
    return require.resolve(`@flyte-sidecar/${process.platform}-${process.arch}/${file}`);
  } catch {
    return undefined;
  }
}
