import { check } from "../core/checks.js";

/** Decides whether the value under the last key of a path is a secret. */
export type Redact = (path: readonly string[]) => boolean;

/** Parts of names that mean secrets, compared without case, `_` and `-`. */
const SECRET_PARTS = [
  "password",
  "passwd",
  "passphrase",
  "secret",
  "token",
  "authorization",
  "cookie",
  "apikey",
  "accesskey",
  "privatekey",
  "credential",
  "creditcard",
  "cardnumber",
];
/** Names that mean secrets as a whole only, because longer words hold them. */
const SECRET_NAMES = new Set(
  "auth card cvc cvv iban jwt otp pan pass pin pwd session sessionid ssn".split(" "),
);

export const redactPaths = check(
  'an array of paths such as "password", "card.number" or "items.*.price"',
  (paths) => Array.isArray(paths) && paths.every((path) => typeof path === "string" && isPath(path)),
);

function isPath(path: string): boolean {
  return !/[[\]]/.test(path) && path.split(".").every((key) => key !== "");
}

/** Returns whether a name means a secret at any depth. */
function meansSecret(key: string): boolean {
  const name = key.toLowerCase().replace(/[_\- ]/g, "");
  return SECRET_NAMES.has(name) || SECRET_PARTS.some((part) => name.includes(part));
}

/** How many keys are remembered with what they mean, and how long these may be. */
const [REMEMBERED, LONGEST] = [1_000, 40];

/** Returns a function that knows the secrets: the given paths, and names that mean secrets at any depth. */
export function redaction(paths: readonly string[]): Redact {
  const names = new Set(paths.filter((path) => !path.includes(".") && path !== "*"));
  const long = paths.filter((path) => path.includes(".") || path === "*").map((path) => path.split("."));
  // Remembered, because the keys of an application are few, and comparing costs more than writing the value.
  const known = new Map<string, boolean>();
  const isSecret = (key: string): boolean => {
    const secret = names.has(key) || meansSecret(key);
    if (known.size < REMEMBERED && key.length <= LONGEST) known.set(key, secret);
    return secret;
  };
  return (path) => {
    const key = path[path.length - 1]!;
    return (
      (known.get(key) ?? isSecret(key)) ||
      long.some(
        (steps) =>
          steps.length === path.length && steps.every((step, index) => step === "*" || step === path[index]),
      )
    );
  };
}
