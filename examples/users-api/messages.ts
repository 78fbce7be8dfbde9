// What the service can be told, can be asked, and tells: plain classes. A schema beside the fields says what is valid.
import { Command, DomainEvent, Query } from "cqrx";
import { z } from "zod";
import type { User } from "./store.js";

const userId = z.string().regex(/^[\w-]{1,64}$/, "must be 1 to 64 letters, digits, _ or -");
const email = z.email("must be an e-mail address").max(254);

export class CreateUser extends Command {
  static readonly schema = z.object({ userId, email });
  readonly userId: string;
  readonly email: string;

  constructor(userId: string, email: string) {
    super();
    this.userId = userId;
    this.email = email;
  }
}

export class ChangeEmail extends Command {
  static readonly schema = z.object({ userId, email });
  readonly userId: string;
  readonly email: string;

  constructor(userId: string, email: string) {
    super();
    this.userId = userId;
    this.email = email;
  }
}

export class DeleteUser extends Command {
  static readonly schema = z.object({ userId });
  readonly userId: string;

  constructor(userId: string) {
    super();
    this.userId = userId;
  }
}

export class GetUser extends Query<User | undefined> {
  static readonly schema = z.object({ userId });
  readonly userId: string;

  constructor(userId: string) {
    super();
    this.userId = userId;
  }
}

export class ListUsers extends Query<readonly User[]> {}

class UserEvent extends DomainEvent {
  readonly userId: string;

  constructor(userId: string) {
    super();
    this.userId = userId;
  }
}

export class UserCreated extends UserEvent {}
export class EmailChanged extends UserEvent {}
export class UserDeleted extends UserEvent {}
