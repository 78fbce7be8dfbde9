import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { Child } from "./support/child.js";

const examples = join(__dirname, "../../examples");

/** Does what a printed curl command does. */
async function run(curl: string): Promise<{ status: number; body: unknown }> {
  const words = [...curl.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare!);
  const init: { method?: string; body?: string; headers: Record<string, string> } = { headers: {} };
  let url = "";
  for (let index = 1; index < words.length; index++) {
    const word = words[index]!;
    if (word === "-X") init.method = words[++index]!;
    else if (word === "-d") init.body = words[++index]!;
    else if (word === "-H") {
      const [name, value] = words[++index]!.split(": ");
      init.headers[name!] = value!;
    } else if (word !== "-i") url = word;
  }
  const response = await fetch(url, init);
  const text = await response.text();
  return { status: response.status, body: text === "" ? undefined : (JSON.parse(text) as unknown) };
}

describe("npm start", () => {
  it("starts the service, whose three commands work as printed, and ends at SIGINT", async () => {
    const { scripts } = JSON.parse(readFileSync(join(__dirname, "../../package.json"), "utf8")) as {
      scripts: { start: string };
    };
    const [tsx, file] = scripts.start.split(" ");
    expect(tsx).toBe("tsx");

    await using child = Child.ofScript(file!, { PORT: "0" });
    await child.match(/Inspector: .*\n/);
    const commands = child.printed.match(/curl .*/g) ?? [];
    expect(commands).toHaveLength(3);
    const user = { userId: "u1", email: "ada@example.com" };
    expect(await run(commands[0]!)).toEqual({ status: 201, body: user });
    expect(await run(commands[1]!)).toEqual({ status: 200, body: user });
    expect(await run(commands[2]!)).toEqual({ status: 204, body: undefined });
    expect(await run(commands[1]!)).toMatchObject({ status: 404 });
    expect(child.printed).toMatch(/INFO.*CreateUser fulfilled/);
    const [, page, token] = /Inspector: (http:\/\/127\.0\.0\.1:\d+\/)#(\S+)/.exec(child.printed)!;
    const exported = await fetch(`${page}export`, { headers: { authorization: `Bearer ${token}` } });
    expect(await exported.text()).toContain('"name":"CreateUser"');

    child.kill("SIGINT");
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(child.printed).toContain("bye");
  });
});

describe("npm run example", () => {
  // In Jest something else always keeps the process alive; on its own, an example must not end before it is done.
  it.each(["01-first-command", "16-retry-and-time-limit"])("%s ends when it is done", async (name) => {
    await using child = Child.of(`examples/${name}.ts`);
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(child.printed).toBe(readFileSync(join(examples, "expected", `${name}.txt`), "utf8"));
  });
});
