// Where users are kept: in memory, or in a JSON file, so that the command line finds again what it stored.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

export interface User {
  readonly userId: string;
  readonly email: string;
}

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
  try {
    const users: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (Array.isArray(users)) return users as User[];
  } catch (cause) {
    throw new Error(`${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  throw new Error(`${path} holds no list of users; move it away, or name another file.`);
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
    writeFileSync(`${this.#path}.new`, JSON.stringify(this.list(), null, 2));
    renameSync(`${this.#path}.new`, this.#path);
    return true;
  }
}
