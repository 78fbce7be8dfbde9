// Commands are checked by a schema before anything is done for them. Any Standard Schema library will do; this one is zod.
// Run: npm run example 20
// Look at: the handler gets the output of the schema, as an instance of the class; the error names every field.
import { CommandBus, InvalidMessageError } from "cqrx";
import { validation } from "cqrx/middleware";
import { z } from "zod";
import { runWhenStarted, type Print } from "./support/run.js";

class CreateUser {
  static readonly schema = z.object({
    email: z.string().trim().toLowerCase().pipe(z.email("must be an e-mail address")),
    age: z.number().int().min(18, "must be at least 18"),
    tags: z.array(z.string().min(1, "must not be empty")),
  });

  readonly email: string;
  readonly age: number;
  readonly tags: readonly string[];

  constructor(email: string, age: number, tags: readonly string[] = []) {
    this.email = email;
    this.age = age;
    this.tags = tags;
  }

  get domain(): string {
    return this.email.slice(this.email.indexOf("@") + 1);
  }
}

export async function main(print: Print): Promise<void> {
  const commandBus = new CommandBus({ middleware: [validation()] });
  commandBus.register(CreateUser, (command) => print(`created ${command.email} at ${command.domain}`));

  await commandBus.dispatch(new CreateUser("  Ada@Example.com ", 36));

  try {
    await commandBus.dispatch(new CreateUser("nobody", 7, ["ok", ""]));
  } catch (error) {
    if (!(error instanceof InvalidMessageError)) throw error;
    print(`${error.code}: ${error.message}`);
    for (const { path = [], message } of error.issues) {
      const names = path.map((step) => String(typeof step === "object" ? step.key : step));
      print(`  ${names.join(".")}: ${message}`);
    }
  }
}

runWhenStarted("20-zod-validation.ts", main);
