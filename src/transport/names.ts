/** Half of a surrogate pair, which no encoding for the wire can keep. */
export const HALF = /\p{Surrogate}/u;
