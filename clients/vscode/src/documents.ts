/** The documents of events, and their pages in the web console. */

import { type Command, env, Uri } from "vscode";
import type { EventArgument } from "./protocol.ts";
import { plain } from "./texts.ts";

/**
 * Returns the URI of the read-only document of an event, in which the server has made the prompt
 * harmless. The server reads the query; VS Code shows the end of the path as a title.
 */
export function documentUri(event: EventArgument): Uri {
  const [run, name] = [event.runName, event.name].map((text) => plain(text).replaceAll("/", "∕"));
  const path = `/${run}/${name}.md`;
  return Uri.from({ scheme: "flyte-event", path, query: JSON.stringify(event) });
}

/** Returns a command that shows the document of an event, rendered. */
export function showDocument(event: EventArgument, preserveFocus: boolean): Command {
  return {
    title: "Show Prompt",
    command: "vscode.openWith",
    arguments: [
      documentUri(event),
      "vscode.markdown.preview.editor",
      { preserveFocus, preview: true },
    ],
  };
}

/** Returns a URL if a browser opens it: no other program may be started by it. */
export function webUrl(url: string | null): string | undefined {
  const parsed = url !== null && URL.canParse(url) ? new URL(url) : undefined;
  return parsed?.protocol === "https:" || parsed?.protocol === "http:" ? parsed.href : undefined;
}

/** Opens a URL in the browser of the person. */
export async function openUrl(url: string): Promise<void> {
  // VS Code opens a string unchanged, but decodes and encodes parts of the query of a Uri.
  await env.openExternal(url as unknown as Uri);
}
