/** Logins that the server requires. */

import { env, ProgressLocation, window } from "vscode";
import type { Execute } from "./answering.ts";
import { webUri } from "./documents.ts";
import type { LoginEnded, LoginRequired } from "./protocol.ts";
import { plain } from "./texts.ts";

const OPEN_LINK = "Open Link";
const COPY_CODE = "Copy Code";

/** Shows logins until they end. */
export class Logins {
  readonly #execute: Execute;
  readonly #open = new Map<string, () => void>();

  constructor(execute: Execute) {
    this.#execute = execute;
  }

  /** Shows the link and the code of a login, and its progress. */
  async start(login: LoginRequired): Promise<void> {
    if (this.#open.has(login.url)) return;
    const ended = new Promise<void>((resolve) => this.#open.set(login.url, resolve));
    const options = {
      location: ProgressLocation.Notification,
      title: "Waiting for the Flyte login",
      cancellable: true,
    };
    window.withProgress(options, (_, token) => {
      token.onCancellationRequested(() => {
        this.#finish(login.url);
        this.#execute("flyteSidecar.cancelLogin", [login.url]);
      });
      return ended;
    });
    const actions = login.userCode === null ? [OPEN_LINK] : [OPEN_LINK, COPY_CODE];
    let chosen: string | undefined;
    do {
      chosen = await window.showInformationMessage(plain(login.message, 2000), ...actions);
      if (chosen === COPY_CODE) await env.clipboard.writeText(login.userCode ?? "");
      const uri = webUri(login.url);
      if (chosen === OPEN_LINK && uri !== undefined) await env.openExternal(uri);
      // With a code, the person needs both actions.
    } while (chosen !== undefined && login.userCode !== null && this.#open.has(login.url));
  }

  /** Ends the progress of a login, and shows why it failed unless the person has cancelled it. */
  end({ url, error }: LoginEnded): void {
    const wasShown = this.#finish(url);
    if (wasShown && error !== null)
      window.showErrorMessage(`The Flyte login failed: ${plain(error, 1000)}`);
  }

  /** Ends the progress of all logins, as the server is gone. */
  endAll(): void {
    for (const url of [...this.#open.keys()]) this.#finish(url);
  }

  #finish(url: string): boolean {
    this.#open.get(url)?.();
    return this.#open.delete(url);
  }
}
