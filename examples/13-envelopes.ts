// An envelope is a message with its metadata, immutable; JSON keeps it and brings it back.
// Run: npm run example 13
// Look at: the copy is an instance of its class again, an older version is lifted, and wrong data is refused.
import { CommandBus, Envelope, type InvalidMessageError } from "cqrx";
import { manualClock, sequentialIds } from "cqrx/testing";
import { runWhenStarted, type Print } from "./support/run.js";

class CreateUser {
  static readonly version = 2;

  /** Version 1 called it `mail`. */
  static upcast({ userId, mail }: { userId: string; mail: string }): unknown {
    return { userId, email: mail };
  }

  readonly userId: string;
  readonly email: string;

  constructor(userId: string, email: string) {
    this.userId = userId;
    this.email = email;
  }

  get domain(): string {
    return this.email.slice(this.email.indexOf("@") + 1);
  }
}

export async function main(print: Print): Promise<void> {
  const sending = new CommandBus({ clock: manualClock(Date.UTC(2030, 0, 1)), ids: sequentialIds("m") });
  sending.register(CreateUser, () => undefined);

  // messages$ emits the envelope of every accepted message; here the envelopes go over the wire.
  const wire: string[] = [];
  sending.messages$.subscribe((envelope) => wire.push(JSON.stringify(envelope)));
  await sending.dispatch(new CreateUser("u1", "ada@example.com"), { headers: { tenant: "acme" } });
  print(wire.join());

  // The other side dispatches the envelope under the metadata it came with.
  const receiving = new CommandBus();
  receiving.register(CreateUser, (user, { envelope: { meta } }) => {
    print(`${user instanceof CreateUser}: ${user.userId} at ${user.domain}`);
    print(`id ${meta.id}, tenant ${meta.headers["tenant"]}, ${new Date(meta.time).toISOString()}`);
  });
  await receiving.dispatch(Envelope.fromJSON(wire[0], CreateUser));

  const old = { meta: { version: 1 }, payload: { userId: "u0", mail: "old@example.com" } };
  print(`upcast: ${Envelope.fromJSON(old, CreateUser).payload.email}`);

  try {
    Envelope.fromJSON({ payload: ["not", "a", "user"] }, CreateUser);
  } catch (error) {
    print(`${(error as InvalidMessageError).path}: ${(error as Error).message}`);
  }
}

runWhenStarted("13-envelopes.ts", main);
