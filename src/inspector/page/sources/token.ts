import { stored } from "../storage.js";

/**
 * Returns the token of this page. It comes in the link's fragment, which browsers send to no server; it moves to the session's storage, so
 * that it does not stay in the address bar and the history.
 */
export function takeToken(mount: string): string | undefined {
  const token = decodeURIComponent(location.hash.slice(1));
  const kept = stored(() => sessionStorage, `cqrx-inspector-token:${mount}`, token || undefined);
  // Without storage the token stays in the address, so that a reload finds it.
  if (token && kept) history.replaceState(null, "", location.pathname);
  return token || kept;
}
