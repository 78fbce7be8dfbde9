import { pageScript } from "./page-script.js";
import type { Recording } from "./protocol.js";

const HEAD =
  '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">' +
  "<title>cqrx inspector</title>";

/** Returns the policy of the page: its own script, its own feed, no other request, and no text that becomes markup. */
export function contentSecurityPolicy(): string {
  return `${policyOf("'self'")}; frame-ancestors 'none'`;
}

function policyOf(connect: string): string {
  return [
    "default-src 'none'",
    `script-src 'sha256-${pageScript().hash}'`,
    `connect-src ${connect}`,
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; ");
}

/** Returns the page. It holds no data: those come by the feed. */
export function livePage(): string {
  return documentOf(HEAD, "");
}

/** Returns a page that holds a recording, and needs no network. */
export function recordedPage(recording: Recording): string {
  const policy = `<meta http-equiv="Content-Security-Policy" content="${policyOf("'none'")}">`;
  // Data of the application: nothing in it may end the element.
  const data = JSON.stringify(recording).replaceAll("<", "\\u003c");
  return documentOf(policy + HEAD, `<script type="application/json" id="cqrx-recording">${data}</script>`);
}

function documentOf(head: string, data: string): string {
  return (
    `<!doctype html><html lang="en"><head>${head}</head><body><div id="cqrx-inspector"></div>` +
    `${data}<script>${pageScript().text}</script></body></html>\n`
  );
}
