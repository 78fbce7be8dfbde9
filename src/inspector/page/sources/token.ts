/**
 * Returns the token of this page. It comes in the link's fragment, which browsers send to no server; it moves to
 * the session's storage, so that it does not stay in the address bar and the history.
 */
export function takeToken(mount: string): string | undefined {
  const token = decodeURIComponent(location.hash.slice(1));
  const key = `cqrx-inspector-token:${mount}`;
  try {
    if (!token) return sessionStorage.getItem(key) ?? undefined;
    sessionStorage.setItem(key, token);
    history.replaceState(null, "", location.pathname);
  } catch {
    // Without storage the token stays in the address, so that a reload finds it.
  }
  return token;
}
