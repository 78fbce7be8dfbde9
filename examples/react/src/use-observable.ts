import { useEffect, useState } from "react";
import type { Observable } from "rxjs";

/** Subscribes to the Observable that `create` makes once, and renders again at each value; undefined before the first. */
export function useObservable<T>(create: () => Observable<T>): T | undefined {
  const [source$] = useState(create);
  const [value, setValue] = useState<T>();
  useEffect(() => {
    const subscription = source$.subscribe(setValue);
    return () => subscription.unsubscribe();
  }, [source$]);
  return value;
}
