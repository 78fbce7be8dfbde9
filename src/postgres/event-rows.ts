import type { Envelope } from "../core/messages/envelope.js";

/** Adds a value to those of a statement, and returns the name of its parameter. */
type Parameter = (value: string) => string;

/**
 * Returns the columns id, name and envelope of one event, the most frequent number: shorter than a table of one row,
 * because the server plans each statement anew.
 */
export function rowOf(envelope: Envelope, parameter: Parameter): string {
  const { id, name } = envelope.meta;
  return `${parameter(id)}::text, ${parameter(name)}::text, ${parameter(JSON.stringify(envelope))}::text::json`;
}

/**
 * Returns the events as a table with the columns n, from 1 on, id, name and envelope. Several are JSON arrays, because
 * every driver takes a text, and not every driver an array. The columns are lists of their own: `->>` would read
 * all texts of an envelope, and fails for one with a NUL.
 */
export function given(envelopes: readonly Envelope[], parameter: Parameter): string {
  const list = (values: readonly unknown[]): string => `${parameter(JSON.stringify(values))}::text::json`;
  const ids = list(envelopes.map(({ meta }) => meta.id));
  const names = list(envelopes.map(({ meta }) => meta.name));
  return `(select n, id, name, envelope
  from json_array_elements_text(${ids}) with ordinality as ids (id, n)
  join json_array_elements_text(${names}) with ordinality as names (name, n) using (n)
  join json_array_elements(${list(envelopes)}) with ordinality as envelopes (envelope, n) using (n)
) as given`;
}
