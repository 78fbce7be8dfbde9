import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const root = join(__dirname, "../../..");

/** An application below examples/, started as `npm run example NAME` starts it, in a process group of its own. */
export class ExampleApp implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;
  #ended = false;
  #printed = "";
  #look: () => void = () => undefined;

  constructor(name: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
    this.#process = spawn(process.execPath, [join(root, ".config/example.mjs"), name, ...args], {
      cwd: root,
      env: { ...process.env, NODE_OPTIONS: "", NO_COLOR: "1", NG_CLI_ANALYTICS: "false", ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    for (const stream of [this.#process.stdout!, this.#process.stderr!]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.#printed += text;
        this.#look();
      });
    }
    this.#exited = once(this.#process, "close").then(() => {
      this.#ended = true;
      this.#look();
    });
  }

  /** Installs and builds what is missing, without a start. */
  static async install(name: string): Promise<void> {
    const app = new ExampleApp(name, ["--install-only"]);
    await app.#exited;
    if (app.#process.exitCode !== 0) throw new Error(`It could not be installed:\n${app.#printed}`);
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

  /** The address that it asks its user to open. */
  async url(): Promise<string> {
    return (await this.match(/https?:\/\/(?:127\.0\.0\.1|localhost):\d+/))[0];
  }

  /** Interrupts it as Ctrl+C does, and waits for its end. */
  async interrupt(): Promise<void> {
    this.#kill("SIGINT");
    await this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#kill("SIGKILL");
    await this.#exited;
  }

  #kill(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.#process.pid!, signal);
    } catch {
      // The group has ended.
    }
  }
}
