import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const root = join(__dirname, "../../..");

/** A program under test in a process of its own, with its output. */
export class Child implements AsyncDisposable {
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly #process: ChildProcess;
  #printed = "";
  #ended = false;
  #look: () => void = () => undefined;

  protected constructor(
    nodeArguments: readonly string[],
    env: NodeJS.ProcessEnv,
    { detached = false }: { readonly detached?: boolean } = {},
  ) {
    this.#process = spawn(process.execPath, nodeArguments, {
      cwd: root,
      env: { ...process.env, NODE_OPTIONS: "", ...env },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      detached,
    });
    for (const stream of [this.#process.stdout!, this.#process.stderr!]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.#printed += text;
        this.#look();
      });
    }
    this.exited = once(this.#process, "close").then(([code, signal]) => {
      this.#ended = true;
      this.#look();
      return { code: code as number | null, signal: signal as NodeJS.Signals | null };
    });
  }

  /** Runs a TypeScript file, so that signals reach it and not a wrapper. */
  static of(file: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Child {
    return new Child(["--import", pathToFileURL(require.resolve("tsx")).href, file, ...args], env);
  }

  /** Runs a TypeScript file as the scripts of package.json do. */
  static ofScript(file: string, env: NodeJS.ProcessEnv = {}): Child {
    return new Child([require.resolve("tsx/cli"), file], env);
  }

  get printed(): string {
    return this.#printed;
  }

  /** The first match in all that is printed, as soon as it is there. */
  async match(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#printed);
      if (match !== null) return match;
      if (this.#ended) throw new Error(`It ended without printing ${String(pattern)}:\n${this.#printed}`);
      await new Promise<void>((resolve) => (this.#look = resolve));
    }
  }

  protected get pid(): number {
    return this.#process.pid!;
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  send(message: string): void {
    this.#process.send(message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    // A process that it started may still hold its output.
    this.#process.stdout?.destroy();
    this.#process.stderr?.destroy();
    await this.exited;
  }
}
