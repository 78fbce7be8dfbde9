// Bundled and compressed to see what the whole core costs.
export * from "cqrx";
