import { dirname, join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import ts from "typescript";

// Types are the interface that people see while they write: the errors of likely mistakes, and the texts on hover.

const given = `
import { Command, command, CommandBus, defineCommand, defineQuery, DomainEvent, Envelope, EventBus, Query, query, QueryBus } from "cqrx";
import { registerHandlers, type HandlerContext } from "cqrx";
import { z } from "zod";

class CreateUser extends Command {
  constructor(readonly userId: string, readonly email: string) {
    super();
  }
}
class GetEmail extends Query<string | null> {
  constructor(readonly userId: string) {
    super();
  }
}
class UserCreated extends DomainEvent {
  constructor(readonly userId: string) {
    super();
  }
}
class CreateUserHandler {
  handle(command: CreateUser) {
    return command.userId;
  }
}
class ChangeEmail extends defineCommand("users.changeEmail", z.object({ userId: z.string(), email: z.email() })) {}
class GetUser extends defineQuery<string | null>()("users.get", z.object({ userId: z.string() })) {}
interface Session {
  readonly user: string;
}
class Users {
  @command(CreateUser)
  create({ userId }: CreateUser, { local }: HandlerContext<CreateUser, Session>) {
    return userId === local?.user;
  }
  @query(GetEmail)
  find({ userId }: GetEmail, { local }: HandlerContext<GetEmail, Session>) {
    return userId === local?.user ? userId : null;
  }
}
declare const users: Users;
declare const sessions: CommandBus<Session>;
declare const commandBus: CommandBus;
declare const queryBus: QueryBus;
declare const eventBus: EventBus;
`;

/** Mistakes, each with the last line of the compiler's text, which is the one that has to name the mistake. */
const mistakes: readonly (readonly [mistake: string, lastLine: string])[] = [
  [`commandBus.dispatch(new GetEmail("u1"))`, `Type '"query"' is not assignable to type '"command"'.`],
  [`commandBus.dispatch$(new UserCreated("u1"))`, `Type '"event"' is not assignable to type '"command"'.`],
  [`commandBus.enqueue(new GetEmail("u1"))`, `Type '"query"' is not assignable to type '"command"'.`],
  [
    `commandBus.dispatch(Envelope.of(new GetEmail("u1")))`,
    `Type '"query"' is not assignable to type '"command"'.`,
  ],
  [`queryBus.ask(new CreateUser("u1", ""))`, `Type '"command"' is not assignable to type '"query"'.`],
  [`eventBus.publish(new CreateUser("u1", ""))`, `Type '"command"' is not assignable to type '"event"'.`],
  [
    `commandBus.dispatch(CreateUser)`,
    `Type 'CreateUser' is not assignable to type '"an instance, not its class: did you forget new?"'.`,
  ],
  [
    `queryBus.ask(GetEmail)`,
    `Type 'GetEmail' is not assignable to type '"an instance, not its class: did you forget new?"'.`,
  ],
  [
    `queryBus.watch(GetEmail)`,
    `Type 'GetEmail' is not assignable to type '"an instance, not its class: did you forget new?"'.`,
  ],
  [
    `eventBus.publish(UserCreated)`,
    `Type 'UserCreated' is not assignable to type '"an instance, not its class: did you forget new?"'.`,
  ],
  [`commandBus.dispatch(new CreateUser("u1"))`, `Expected 2 arguments, but got 1.`],
  [
    `commandBus.dispatch(new CreateUser("u1", ""), { timeoutMs: 100 })`,
    `Object literal may only specify known properties, and 'timeoutMs' does not exist in type 'DispatchOptions<object>'.`,
  ],
  [`commandBus.register(GetEmail, () => null)`, `Type '"query"' is not assignable to type '"command"'.`],
  [
    `commandBus.register(CreateUser, ({ name }) => name)`,
    `Property 'name' does not exist on type 'CreateUser'.`,
  ],
  [
    `commandBus.register(CreateUser, ({ userId }: UserCreated) => userId)`,
    `Type '"command"' is not assignable to type '"event"'.`,
  ],
  [
    `commandBus.register(CreateUser, { execute: ({ userId }: CreateUser) => userId })`,
    `Property 'handle' is missing in type '{ execute: ({ userId }: CreateUser) => string; }' ` +
      `but required in type 'HandlerObject<CreateUser, unknown, object>'.`,
  ],
  [
    `commandBus.register(CreateUser, CreateUserHandler)`,
    `Argument of type 'typeof CreateUserHandler' is not assignable to parameter of type 'Handler<CreateUser, unknown, object>'.`,
  ],
  [`commandBus.register(CreateUser)`, `Expected 2-3 arguments, but got 1.`],
  [
    `queryBus.register(GetEmail, () => 42)`,
    `Type 'number' is not assignable to type 'QueryResult<string | null>'.`,
  ],
  [
    `queryBus.register(GetEmail, () => {})`,
    `Type 'void' is not assignable to type 'QueryResult<string | null>'.`,
  ],
  [
    `queryBus.register(GetEmail, { handle: () => 42 })`,
    `Type 'number' is not assignable to type 'QueryResult<string | null>'.`,
  ],
  [
    `const email: string = queryBus.ask(new GetEmail("u1"))`,
    `Type 'Promise<string | null>' is not assignable to type 'string'.`,
  ],
  [
    `new ChangeEmail({ userId: "u1" })`,
    `Property 'email' is missing in type '{ userId: string; }' but required in type '{ userId: string; email: string; }'.`,
  ],
  [`new ChangeEmail({ userId: "u1", email: 7 })`, `Type 'number' is not assignable to type 'string'.`],
  [`new ChangeEmail("u1", "")`, `Expected 1 arguments, but got 2.`],
  [
    `new ChangeEmail({ userId: "u1", email: "" }).email = "x"`,
    `Cannot assign to 'email' because it is a read-only property.`,
  ],
  [
    `commandBus.dispatch(new GetUser({ userId: "u1" }))`,
    `Type '"query"' is not assignable to type '"command"'.`,
  ],
  [
    `commandBus.dispatch(ChangeEmail)`,
    `Type 'ChangeEmail' is not assignable to type '"an instance, not its class: did you forget new?"'.`,
  ],
  [
    `new CommandBus({ middlewares: [] })`,
    `Object literal may only specify known properties, but 'middlewares' does not exist in type 'CommandBusOptions'. ` +
      `Did you mean to write 'middleware'?`,
  ],
  [
    `registerHandlers(users, { commandBus, queryBus: new QueryBus<unknown, Session>() })`,
    `Argument of type 'Users' is not assignable to parameter of type '"create() reads another context.local than its bus has"'.`,
  ],
  [
    `registerHandlers(users, { commandBus: sessions })`,
    `Argument of type 'Users' is not assignable to parameter of type '"find() reads another context.local than its bus has"'.`,
  ],
  [
    `registerHandlers(users)`,
    `Argument of type 'Users' is not assignable to parameter of type '"create() reads another context.local than its bus has" ` +
      `| "find() reads another context.local than its bus has"'.`,
  ],
  [
    `registerHandlers(Users)`,
    `Type 'Users' is not assignable to type '"an instance, not its class: did you forget new?"'.`,
  ],
  [
    `registerHandlers(new CreateUserHandler(), { commandsBus: sessions })`,
    `Object literal may only specify known properties, but 'commandsBus' does not exist in type ` +
      `'HandlerBuses<object, object, object>'. Did you mean to write 'commandBus'?`,
  ],
  [
    `class A { @command create({ userId }: CreateUser) { return userId; } }`,
    `Type '({ userId }: CreateUser) => string' provides no match for the signature 'new (...args: never[]): MessageOf<"command">'.`,
  ],
  [
    `class A { @command(GetEmail) find() { return null; } }`,
    `Type '"query"' is not assignable to type '"command"'.`,
  ],
  [
    `class A { @command(CreateUser, queryBus) create() {} }`,
    `Type 'QueryBus<unknown, object>' is missing the following properties from type 'CommandBus<never>': ` +
      `#background, dispatch, dispatch$, enqueue, drain`,
  ],
];

/** Mistakes with decorators: the compiler tries the forms of a decorator one after the other, and the last one counts. */
const decoratorMistakes: typeof mistakes = [
  [
    `class A { @command(CreateUser) create({ userId }: UserCreated) { return userId; } }`,
    `Type '"command"' is not assignable to type '"event"'.`,
  ],
  [
    `class A { @query(GetEmail) find() { return 42; } }`,
    `Type 'number' is not assignable to type 'QueryResult<string | null>'.`,
  ],
  [
    `class A { @command(CreateUser, commandBus) create(_: CreateUser, { local }: HandlerContext<CreateUser, Session>) { return local; } }`,
    `Property 'user' is missing in type '{}' but required in type 'Session'.`,
  ],
  [
    `@command(CreateUser) class A { execute({ userId }: CreateUser) { return userId; } }`,
    `Property 'handle' is missing in type 'A' but required in type '{ handle: HandlerFunction<CreateUser, unknown, object>; }'.`,
  ],
  [
    `@command(CreateUser) class A { constructor(readonly users: object) {} handle() {} }`,
    `Target signature provides too few arguments. Expected 1 or more, but got 0.`,
  ],
];

/** Code with `^` before the name that the pointer is on, with the text that an editor shows first. */
const hovers: readonly (readonly [code: string, text: string])[] = [
  [
    `commandBus.^dispatch(new CreateUser("u1", ""))`,
    `(method) CommandBus<object>.dispatch(command: CommandInput, options?: DispatchOptions<object> | undefined): Promise<void>`,
  ],
  [
    `queryBus.^ask(new GetEmail("u1"))`,
    `(method) QueryBus<unknown, object>.ask<GetEmail>(query: GetEmail | Envelope<GetEmail>, options?: DispatchOptions<object> | undefined): ` +
      `Promise<string | null>`,
  ],
  [`const ^email = await queryBus.ask(new GetEmail("u1"))`, `const email: string | null`],
  [`commandBus.register(CreateUser, (^command) => command.userId)`, `(parameter) command: CreateUser`],
  [
    `commandBus.register(CreateUser, (_, ^context) => context.signal)`,
    `(parameter) context: HandlerContext<CreateUser, object>`,
  ],
  [`commandBus.register(CreateUser, ({ ^email }) => email)`, `(parameter) email: string`],
  [
    `new ^ChangeEmail({ userId: "u1", email: "" })`,
    `constructor ChangeEmail(input: {\n    userId: string;\n    email: string;\n}): ChangeEmail`,
  ],
  [`const ^change = ChangeEmail.parse({})`, `const change: ChangeEmail`],
  [`commandBus.register(ChangeEmail, (^command) => command.email)`, `(parameter) command: ChangeEmail`],
  [`commandBus.register(ChangeEmail, ({ ^email }) => email)`, `(parameter) email: string`],
  [`const ^user = queryBus.ask(new GetUser({ userId: "u1" }))`, `const user: Promise<string | null>`],
];

/** In memory only: one block for each mistake and each hover. */
const file = join(__dirname, "program.ts");
const allMistakes = [...mistakes, ...decoratorMistakes];
const blocks = [...allMistakes, ...hovers].map(([code]) => `{ ${code.replace("^", "")}; }\n`);
const program = `${given}${blocks.join("")}export {};`;

const startOf = (block: number): number => given.length + blocks.slice(0, block).join("").length;

const service = languageService();
const diagnostics = service.getSemanticDiagnostics(file);

function languageService(): ts.LanguageService {
  const configFile = ts.findConfigFile(__dirname, (path) => ts.sys.fileExists(path))!;
  const root = dirname(configFile);
  const { config } = ts.readConfigFile(configFile, (path) => ts.sys.readFile(path)) as { config: unknown };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  return ts.createLanguageService({
    getCompilationSettings: () => ({ ...options, noUnusedLocals: false, noUnusedParameters: false }),
    getScriptFileNames: () => [file],
    getScriptVersion: () => "1",
    getScriptSnapshot(path) {
      const text = path === file ? program : ts.sys.readFile(path);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => root,
    getDefaultLibFileName: (settings) => ts.getDefaultLibFilePath(settings),
    fileExists: (path) => path === file || ts.sys.fileExists(path),
    readFile: (path) => ts.sys.readFile(path),
  });
}

/** The texts of the compiler about a block, each as its lines. */
function textsOf(block: number): string[][] {
  return diagnostics
    .filter(({ start = 0 }) => start >= startOf(block) && start < startOf(block + 1))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n").split("\n"));
}

describe("the compiler's error for", () => {
  it.each(allMistakes.map(([mistake, lastLine], block) => [mistake, lastLine, block] as const))(
    "%s names the mistake in its last line",
    (_, lastLine, block) => {
      const texts = textsOf(block);
      expect(texts.map((lines) => lines.at(-1)?.trim())).toEqual([lastLine]);
      expect(texts[0]!.length).toBeLessThanOrEqual(block < mistakes.length ? 7 : 15);
    },
  );

  it("a mistake is the only error of its program", () =>
    expect(diagnostics).toHaveLength(allMistakes.length));
});

it.each(hovers.map(([code, text], index) => [code, text, allMistakes.length + index] as const))(
  "the text on hover over %s is short",
  (code, text, block) => {
    const info = service.getQuickInfoAtPosition(file, startOf(block) + 2 + code.indexOf("^"));
    expect(ts.displayPartsToString(info?.displayParts)).toBe(text);
  },
);
