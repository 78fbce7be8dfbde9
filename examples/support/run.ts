import { basename } from "node:path";

/** Prints one line. */
export type Print = (line: string) => void;

/** Runs `main` if node was started with `file`, and not if a spec or `npm run example` imports it. */
export function runWhenStarted(file: string, main: (print: Print) => Promise<void>): void {
  if (basename(process.argv[1] ?? "") === file) void main(console.log);
}
