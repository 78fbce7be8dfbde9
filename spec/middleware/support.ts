import type { Fault, QueryBus } from "cqrx";
import type { Store, StoreSetOptions } from "cqrx/middleware";

/** All faults of a bus, from now on. */
export function faultsOf(bus: Pick<QueryBus, "faults$">): Fault[] {
  const faults: Fault[] = [];
  bus.faults$.subscribe((fault) => faults.push(fault));
  return faults;
}

/** A store that answers in promises, and keeps its values as text, so that only plain data survives. */
export class AsyncStore implements Store {
  readonly texts = new Map<unknown, string>();
  readonly calls: string[] = [];
  readonly options: (StoreSetOptions | undefined)[] = [];

  async get(key: unknown): Promise<unknown> {
    this.calls.push("get");
    const text = this.texts.get(key);
    return text === undefined ? null : (JSON.parse(text) as unknown);
  }

  async set(key: unknown, value: unknown, options?: StoreSetOptions): Promise<void> {
    this.calls.push("set");
    this.options.push(options);
    this.texts.set(key, JSON.stringify(value));
  }

  async delete(key: unknown): Promise<void> {
    this.calls.push("delete");
    this.texts.delete(key);
  }
}

/** A store whose methods do as the test says. */
export function brokenStore(how: Partial<Store>): Store & { readonly map: Map<unknown, unknown> } {
  const map = new Map<unknown, unknown>();
  return Object.assign(
    {
      map,
      get: (key: unknown) => map.get(key),
      set: (key: unknown, value: unknown) => map.set(key, value),
      delete: (key: unknown) => map.delete(key),
    },
    how,
  );
}
