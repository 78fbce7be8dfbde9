import { useEffect, useState } from "react";
import type { Observable } from "rxjs";

export interface Snapshot<T> {
  readonly status: "pending" | "value" | "error";
  readonly value?: T;
  readonly error?: unknown;
}

/** Subscribes to the Observable that `create` makes once, and renders again at each value. */
export function useObservable<T>(create: () => Observable<T>): Snapshot<T> {
  const [source$] = useState(create);
  const [snapshot, setSnapshot] = useState<Snapshot<T>>({ status: "pending" });
  useEffect(() => {
    const subscription = source$.subscribe({
      next: (value) => setSnapshot({ status: "value", value }),
      error: (error: unknown) => setSnapshot({ status: "error", error }),
    });
    return () => subscription.unsubscribe();
  }, [source$]);
  return snapshot;
}
