// The command line is another way in, to the same buses, with no HTTP at all. Users are kept in the file USERS_FILE names.
// Run: npx tsx examples/users-api/cli.ts create u1 ada@example.com
// Then: npx tsx examples/users-api/cli.ts list
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { pino } from "pino";
import { closeBuses, createBuses, type Buses } from "./buses.js";
import { issuesOf, textOf, UserNotFoundError } from "./errors.js";
import { ChangeEmail, CreateUser, DeleteUser, GetUser, ListUsers } from "./messages.js";
import { FileStore, type User } from "./store.js";

type Print = (line: string) => void;
type Action = (buses: Buses, print: Print, userId: string, email: string) => Promise<void>;

/** An operator with a shell on this machine may do everything. */
const asOperator = { headers: { "x-role": "admin" } };

const actions = new Map<string, Action>([
  [
    "create",
    ({ commandBus }, _, userId, email) => commandBus.dispatch(new CreateUser({ userId, email }), asOperator),
  ],
  [
    "change",
    ({ commandBus }, _, userId, email) => commandBus.dispatch(new ChangeEmail({ userId, email }), asOperator),
  ],
  ["delete", ({ commandBus }, _, userId) => commandBus.dispatch(new DeleteUser({ userId }), asOperator)],
  [
    "get",
    async ({ queryBus }, print, userId) => {
      const user = await queryBus.ask(new GetUser(userId));
      if (user === undefined) throw new UserNotFoundError(userId);
      print(show(user));
    },
  ],
  [
    "list",
    async ({ queryBus }, print) =>
      print((await queryBus.ask(new ListUsers())).map(show).join("\n") || "no users yet"),
  ],
]);

function show({ userId, email }: User): string {
  return `${userId}  ${email}`;
}

/** Runs the command that the arguments name; returns the exit code. */
export async function runCli(buses: Buses, args: readonly string[], print: Print): Promise<number> {
  const [name = "", userId = "", email = ""] = args;
  const action = actions.get(name);
  if (action === undefined) {
    print(`Usage: cli.ts ${[...actions.keys()].join("|")} [userId] [email]`);
    return 2;
  }
  try {
    await action(buses, print, userId, email);
    return 0;
  } catch (error) {
    const issues = issuesOf(error).map(({ path, message }) => `  ${path} ${message}`);
    print([textOf(error as Error), ...issues].join("\n"));
    return 1;
  }
}

async function main(): Promise<number> {
  const { USERS_FILE = join(tmpdir(), "cqrx-users.json"), LOG_LEVEL = "silent" } = process.env;
  const buses = createBuses(pino({ level: LOG_LEVEL }), new FileStore(USERS_FILE));
  const code = await runCli(buses, process.argv.slice(2), console.log);
  await closeBuses(buses, 1_000);
  return code;
}

if (basename(process.argv[1] ?? "") === "cli.ts")
  main().then(
    (code) => (process.exitCode = code),
    (error: Error) => {
      console.error(`Could not start: ${error.message}`);
      process.exitCode = 1;
    },
  );
