// Ready-made middleware, one file each.
export {};
