/**
 * How deep dispatches are nested right now, over all buses: they run inside each other like function calls.
 * An observer runs at the depth of what it observes, so that one that dispatches for ever gets deeper, too.
 */
export const dispatchDepth = { current: 0 };
