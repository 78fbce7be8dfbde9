/**
 * Reads or writes a text of the browser's storage.
 *
 * @returns `undefined` where there is no such text, or no storage: a page without it forgets on reload
 */
export function stored(storage: () => Storage, key: string, value?: string): string | undefined {
  try {
    if (value !== undefined) storage().setItem(key, value);
    return storage().getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}
