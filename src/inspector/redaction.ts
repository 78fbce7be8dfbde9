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

/** Returns a function that knows the secrets: the given paths, and names that mean secrets at any depth. */
export function redaction(paths: readonly string[]): Redact {
  const names = new Set(paths.filter((path) => !path.includes(".") && path !== "*"));
  const long = paths.filter((path) => path.includes(".") || path === "*").map((path) => path.split("."));
  return (path) => {
    const key = path.at(-1)!;
    return (
      names.has(key) ||
      meansSecret(key) ||
      long.some(
        (steps) =>
          steps.length === path.length && steps.every((step, index) => step === "*" || step === path[index]),
      )
    );
  };
}
