// The store of users: in memory, or in a JSON file, so that the command line finds them again.
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { z } from "zod";

export const userSchema = z.object({
  userId: z.string().regex(/^[\w-]{1,64}$/, "must be 1 to 64 letters, digits, _ or -"),
  email: z.email("must be an e-mail address").max(254),
});

export type User = Readonly<z.infer<typeof userSchema>>;

type Awaitable<T> = T | Promise<T>;

/** Each of these is one step, as it would be in a database; they tell whether there was something to do. */
export interface UserStore {
  get(userId: string): Awaitable<User | undefined>;
  list(): Awaitable<readonly User[]>;
  insert(user: User): Awaitable<boolean>;
  update(user: User): Awaitable<boolean>;
  remove(userId: string): Awaitable<boolean>;
}

export class MemoryStore implements UserStore {
  readonly #users = new Map<string, User>();

  get(userId: string): User | undefined {
    return this.#users.get(userId);
  }

  list(): readonly User[] {
    return [...this.#users.values()];
  }

  insert(user: User): boolean {
    if (this.#users.has(user.userId)) return false;
    this.#users.set(user.userId, user);
    return true;
  }

  update(user: User): boolean {
    return this.#users.has(user.userId) && this.#users.set(user.userId, user).size > 0;
  }

  remove(userId: string): boolean {
    return this.#users.delete(userId);
  }
}

function read(path: string): readonly User[] {
  let read: unknown;
  try {
    read = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new Error(`${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  const { success, data, error } = z.array(userSchema).safeParse(read);
  if (success) return data;
  const [{ path: field, message }] = error.issues as [z.core.$ZodIssue];
  const problem = `${field.join(".")} ${message}`.trim();
  throw new Error(`${path} holds no valid list of users: ${problem}. Move it away, or name another file.`);
}

/** For one process at a time. */
export class FileStore extends MemoryStore {
  readonly #path: string;

  constructor(path: string) {
    super();
    this.#path = path;
    if (existsSync(path)) for (const user of read(path)) super.insert(user);
  }

  override insert(user: User): boolean {
    return super.insert(user) && this.#save();
  }

  override update(user: User): boolean {
    return super.update(user) && this.#save();
  }

  override remove(userId: string): boolean {
    return super.remove(userId) && this.#save();
  }

  #save(): true {
    // A new file that its owner alone can read: in a shared folder, a file of a known name could be a link to another file.
    const file = `${this.#path}.${randomUUID()}`;
    try {
      writeFileSync(file, JSON.stringify(this.list(), null, 2), { flag: "wx", mode: 0o600 });
      renameSync(file, this.#path);
    } finally {
      rmSync(file, { force: true });
    }
    return true;
  }
}
