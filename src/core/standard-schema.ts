/**
 * The part of Standard Schema that cqrx reads, so that zod, valibot, arktype and others work without an adapter.
 *
 * @see https://standardschema.dev
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

export type StandardResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly StandardIssue[] };

export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** `a.b[0]` for an issue's path, whose elements may be keys or objects with a key. */
export function issuePath(issue: StandardIssue): string {
  return (issue.path ?? [])
    .map((step) => (typeof step === "object" ? step.key : step))
    .reduce<string>(
      (path, key) => (typeof key === "number" ? `${path}[${key}]` : `${path}${path && "."}${String(key)}`),
      "",
    );
}
