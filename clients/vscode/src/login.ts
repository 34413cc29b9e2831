/** Logins that the server requires. */

import { env, ProgressLocation, window } from "vscode";
import { openUrl, webUrl } from "./documents.ts";
import type { AuthEnded, AuthRequired } from "./protocol.ts";
import { plain } from "./texts.ts";

const OPEN_LINK = "Open Link";
const COPY_CODE = "Copy Code";

/** Shows logins until they end. */
export class Logins {
  readonly #cancel: (url: string) => Promise<void>;
  readonly #open = new Map<string, () => void>();

  /** @param cancel ends a login in the server */
  constructor(cancel: (url: string) => Promise<void>) {
    this.#cancel = cancel;
  }

  /** Shows the link and the code of a login, and its progress. */
  async start(login: AuthRequired): Promise<void> {
    if (this.#open.has(login.url)) return;
    const ended = new Promise<void>((resolve) => this.#open.set(login.url, resolve));
    const options = {
      location: ProgressLocation.Notification,
      title: "Waiting for the Flyte login",
      cancellable: true,
    };
    const code = login.userCode ?? "";
    const url = webUrl(login.url);
    window.withProgress(options, (progress, token) => {
      // Unlike the message with the buttons, the progress stays.
      const link = url === undefined ? "" : `[open link](${url.replaceAll(")", "%29")})`;
      progress.report({ message: [link, plain(code)].filter(Boolean).join(", code ") });
      token.onCancellationRequested(() => {
        this.#finish(login.url);
        this.#cancel(login.url);
      });
      return ended;
    });
    const actions = code === "" ? [OPEN_LINK] : [OPEN_LINK, COPY_CODE];
    let chosen: string | undefined;
    do {
      chosen = await window.showInformationMessage(plain(login.message, 2000), ...actions);
      if (chosen === COPY_CODE) await env.clipboard.writeText(code);
      if (chosen === OPEN_LINK && url !== undefined) await openUrl(url);
      // With a code, the person needs both actions.
    } while (chosen !== undefined && code !== "" && this.#open.has(login.url));
  }

  /** Ends the progress of a login, and shows why it failed unless the person has cancelled it. */
  end({ url, error }: AuthEnded): void {
    const wasShown = this.#finish(url);
    if (wasShown && error) {
      window.showErrorMessage(`The Flyte login failed: ${plain(error, 1000)}`);
    }
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
