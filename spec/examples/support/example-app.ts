import { Child } from "./child.js";

/** An application below examples/, started as `npm run example NAME` starts it, in a process group of its own. */
export class ExampleApp extends Child {
  constructor(name: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
    const ownEnv = { NO_COLOR: "1", NG_CLI_ANALYTICS: "false", ...env };
    super([".config/example.mjs", name, ...args], ownEnv, { detached: true });
  }

  /** Installs and builds the missing parts, without a start. */
  static async install(name: string): Promise<void> {
    const app = new ExampleApp(name, ["--install-only"]);
    const { code } = await app.exited;
    if (code !== 0) throw new Error(`It could not be installed:\n${app.printed}`);
  }

  /** The address that it asks its user to open. */
  async url(): Promise<string> {
    return (await this.match(/https?:\/\/(?:127\.0\.0\.1|localhost):\d+/))[0];
  }

  /** Interrupts it as Ctrl+C does, and waits for its end. */
  async interrupt(): Promise<void> {
    this.kill("SIGINT");
    await this.exited;
  }

  /** Signals the whole group, because a shell and a package manager may be in between. */
  override kill(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal);
    } catch {
      // The group has ended.
    }
  }
}
