/**
 * True if functions have the names that their authors gave them, because a minifier renames them together with
 * this one.
 */
const namesAreKept = functionName.name === "functionName";

/** Returns the name of a function, or an empty text in a minified build, where a name such as `vt` says nothing. */
export function functionName(named: object): string {
  const { name } = named as { readonly name?: unknown };
  return namesAreKept && typeof name === "string" ? name : "";
}
