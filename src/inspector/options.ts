import { aBoolean, aFunction, check, checkOptions, either, type Check, type Checks } from "../core/checks.js";
import { redactPaths } from "./redaction.js";

/** Options of {@link inspect}. */
export interface InspectOptions {
  /**
   * Turns the inspector off: no subscription, every request is answered by 404, and `listen()` resolves without a link.
   *
   * @defaultValue true unless `NODE_ENV` is `production`
   */
  readonly enabled?: boolean;
  /** How many messages are kept. @defaultValue 5_000 */
  readonly capacity?: number;
  /** How many bytes of text are kept. @defaultValue 8 MiB */
  readonly maxBytes?: number;
  /**
   * The longest text of a payload, a result, headers, an error message or a stack, in characters.
   * @defaultValue 4_096
   */
  readonly maxMessageBytes?: number;
  /**
   * How many messages a second are kept; a burst of one second's worth is kept whole. A message and everything
   * that it caused are kept or dropped together. Failures are kept in any case.
   *
   * @defaultValue 500
   */
  readonly maxPerSecond?: number;
  /** Keeps payloads: all of each, or the value that a function returns. @defaultValue true */
  readonly payload?: boolean | ((message: object) => unknown);
  /**
   * Keeps results of queries: all of each, or the value that a function returns.
   * @defaultValue true, and false if `payload` is a function
   */
  readonly result?: boolean | ((value: unknown, message: object) => unknown);
  /**
   * Paths whose values are not kept: keys joined by dots, `*` for any one key, such as `card.number` or
   * `items.*.price`. A name without a dot counts at any depth. Headers begin with `headers.`. Names that mean
   * secrets, such as `password`, `token`, `authorization`, `cookie`, `apiKey` or `card`, are never kept.
   *
   * @defaultValue none
   */
  readonly redact?: readonly string[];
  /**
   * The token that a page needs: at least 16 letters, digits, `-`, `_`, `.` or `~`.
   *
   * @defaultValue the environment variable `CQRX_INSPECTOR_TOKEN`, or 144 random bits of this process
   */
  readonly token?: string;
  /**
   * Values of the header `Host` that are answered besides loopback names, such as `app.local:3000`.
   * @defaultValue none
   */
  readonly hosts?: readonly string[];
  /** How many pages may read the feed at a time; further ones are answered by 503. @defaultValue 8 */
  readonly maxClients?: number;
  /** How many bytes may wait for a page that reads slowly, before frames are left out. @defaultValue 1 MiB */
  readonly maxBufferedBytes?: number;
}

/** The options with their defaults, except for the token, which is made when it is needed. */
export type Settings = Required<Omit<InspectOptions, "token">> & { readonly token: string | undefined };

const aToken = check(
  "at least 16 characters out of letters, digits, -, _, . and ~",
  (value) => typeof value === "string" && /^[\w.~-]{16,}$/.test(value),
);

/** Finite, because a limit that is never reached would keep everything. */
const limitFrom = (least: number): Check =>
  check(
    `a finite whole number from ${least}`,
    (value) => Number.isSafeInteger(value) && (value as number) >= least,
  );

const RULES: Checks<InspectOptions> = {
  enabled: aBoolean,
  capacity: limitFrom(1),
  maxBytes: limitFrom(1),
  maxMessageBytes: limitFrom(64),
  maxPerSecond: limitFrom(0),
  payload: either(aBoolean, aFunction),
  result: either(aBoolean, aFunction),
  redact: redactPaths,
  token: aToken,
  hosts: check(
    "an array of hosts such as app.local:3000",
    (hosts) =>
      Array.isArray(hosts) && hosts.every((host) => typeof host === "string" && /^[^\s/@]+$/.test(host)),
  ),
  maxClients: limitFrom(1),
  maxBufferedBytes: limitFrom(1_024),
};

const environment = (globalThis as { process?: { env?: { readonly [name: string]: string | undefined } } })
  .process?.env;

/** @throws InvalidOptionsError */
export function settingsOf(options: InspectOptions): Settings {
  checkOptions<InspectOptions>("inspect()", options, RULES);
  const { payload = true } = options;
  return {
    enabled: options.enabled ?? environment?.NODE_ENV !== "production",
    capacity: options.capacity ?? 5_000,
    maxBytes: options.maxBytes ?? 8 * 2 ** 20,
    maxMessageBytes: options.maxMessageBytes ?? 4_096,
    maxPerSecond: options.maxPerSecond ?? 500,
    payload,
    result: options.result ?? typeof payload !== "function",
    redact: options.redact ?? [],
    token: options.token,
    hosts: options.hosts ?? [],
    maxClients: options.maxClients ?? 8,
    maxBufferedBytes: options.maxBufferedBytes ?? 2 ** 20,
  };
}

let processToken: string | undefined;

/**
 * Returns the token of an inspector: the given one, that of the environment, or one of this process.
 *
 * @throws InvalidOptionsError for a short one in the environment
 */
export function tokenOf({ token }: Settings): string {
  const given = token ?? (environment?.CQRX_INSPECTOR_TOKEN || undefined);
  if (given !== undefined) {
    checkOptions("CQRX_INSPECTOR_TOKEN", { token: given }, { token: aToken });
    return given;
  }
  return (processToken ??= randomToken());
}

/** Returns 144 random bits, in letters that a link may hold. */
function randomToken(): string {
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(18));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_");
}
