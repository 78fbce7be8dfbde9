/** This copy of the library: each copy in a process has an object of its own. */
export const COPY: { readonly version: string } = { version: "0.1.0" };

/** The key of the copy that made a value; registered, so that every copy can read it. */
export const MADE_BY = Symbol.for("cqrx");
