import { useCallback, useSyncExternalStore } from "react";
import type { LiveQuery, LiveSnapshot } from "cqrx";

/** Renders again at each change of a live query. Make the live query outside of the component, or with useMemo. */
export function useLive<R>(live: LiveQuery<R>): LiveSnapshot<R> {
  const subscribe = useCallback(
    (changed: () => void) => {
      const subscription = live.snapshot$.subscribe(changed);
      return () => subscription.unsubscribe();
    },
    [live],
  );
  return useSyncExternalStore(subscribe, live.getSnapshot);
}
