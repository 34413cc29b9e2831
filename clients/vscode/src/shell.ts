/** Command lines of shells. */

/** What no shell interprets. */
const PLAIN = /^[A-Za-z0-9_./:=@+-][A-Za-z0-9_./:=@+~\\-]*$/;

/**
 * Returns a command line that passes the words unchanged to a program.
 *
 * @param shell the path of the shell
 * @throws {Error} if the shell cannot pass a word unchanged
 */
export function quote(words: readonly [string, ...string[]], shell: string): string {
  if (words.some((word) => /\p{Cc}/u.test(word))) {
    throw new Error("A name contains a control character.");
  }
  const name = (shell.split(/[\\/]/).at(-1) ?? "").toLowerCase().replace(/\.exe$/, "");
  if (name === "cmd") return words.map(quoteForCmd).join(" ");
  if (name === "powershell" || name === "pwsh") {
    const [program, ...rest] = words.map((word) =>
      PLAIN.test(word) ? word : quoteForPowerShell(word),
    );
    return [program === words[0] ? program : `& ${program}`, ...rest].join(" ");
  }
  return words.map(quoteForPosix).join(" ");
}

function quoteForPosix(word: string): string {
  return PLAIN.test(word) && !word.includes("\\") ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function quoteForPowerShell(word: string): string {
  return `'${word.replaceAll(/['\u2018\u2019\u201a\u201b]/g, "$&$&")}'`;
}

function quoteForCmd(word: string): string {
  if (PLAIN.test(word)) return word;
  if (/["%!]/.test(word)) throw new Error(`cmd.exe cannot pass ${JSON.stringify(word)} unchanged.`);
  return `"${word}"`;
}
