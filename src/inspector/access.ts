/** The parts of a request that decide whether it is answered. */
export interface Asked {
  readonly method: string;
  /** The path without the query. */
  readonly path: string;
  /** All values of a header, because two of one name must not be merged. */
  readonly values: (name: string) => readonly string[];
}

/** A refusal: the status and a text that tells what to do. It never holds data. */
export interface Refusal {
  readonly status: 400 | 401 | 403 | 405;
  readonly text: string;
  readonly headers?: { readonly [name: string]: string };
}

/** Loopback names with any port. Exact, because `127.evil.example` and `localhost.evil.example` belong to others. */
const LOOPBACK = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i;

/**
 * Checks a request before anything else looks at it: the host against DNS rebinding, the method, and the origin
 * against other pages in the same browser.
 */
export function refusalOf(asked: Asked, hosts: readonly string[]): Refusal | undefined {
  const given = asked.values("host");
  // Node keeps the first of two in `headers`, while a proxy in front may have taken the second.
  if (given.length > 1) return { status: 400, text: "Send one Host header." };
  const [host = ""] = given;
  if (!LOOPBACK.test(host) && !hosts.some((known) => known.toLowerCase() === host.toLowerCase()))
    return {
      status: 403,
      text: "The inspector does not answer for this host. Use localhost, or list the host in the option hosts.",
    };
  if (asked.method !== "GET" && asked.method !== "HEAD")
    return { status: 405, text: "The inspector only shows: send GET.", headers: { allow: "GET, HEAD" } };
  if (!isSameOrigin(asked, host) || !isOwnFetch(asked))
    return { status: 403, text: "The inspector does not answer pages of other origins." };
  return undefined;
}

function isSameOrigin(asked: Asked, host: string): boolean {
  const origins = asked.values("origin");
  // Either scheme, because a proxy in front may end TLS.
  return origins.every(
    (origin) => /^https?:\/\/(.+)$/i.exec(origin)?.[1]?.toLowerCase() === host.toLowerCase(),
  );
}

/** Browsers say where a request comes from. Links from other sites may lead to the page, which holds no data. */
function isOwnFetch(asked: Asked): boolean {
  if (asked.values("sec-fetch-mode").join() === "navigate") return true;
  return asked.values("sec-fetch-site").every((site) => site === "same-origin" || site === "none");
}

/**
 * Checks the token of a request for data. Tokens in the query and cookies are not looked at, because logs hold
 * them and browsers send them.
 */
export function unauthorized(asked: Asked, token: string): Refusal | undefined {
  const given = asked.values("authorization");
  const [, bearer = ""] = given.length === 1 ? (/^Bearer ([\w.~-]+)$/i.exec(given[0]!) ?? []) : [];
  if (isEqual(bearer, token)) return undefined;
  return {
    status: 401,
    text: "Open the inspector by its link, which holds the token after #; or send the token as Authorization: Bearer.",
    headers: { "www-authenticate": "Bearer" },
  };
}

/** Compares in a time that does not tell how many characters are right. */
function isEqual(given: string, token: string): boolean {
  let difference = given.length ^ token.length;
  for (let index = 0; index < token.length; index++)
    difference |= token.charCodeAt(index) ^ (given.charCodeAt(index % (given.length || 1)) || 0);
  return difference === 0;
}
