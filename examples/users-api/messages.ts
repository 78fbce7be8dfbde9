// What the service can be told, can be asked, and tells: plain classes. A schema beside the fields says what is valid.
import { Command, DomainEvent, Query } from "cqrx";
import { userSchema, type User } from "./store.js";

const idSchema = userSchema.pick({ userId: true });

export class CreateUser extends Command {
  static readonly schema = userSchema;
  readonly userId: string;
  readonly email: string;

  constructor(userId: string, email: string) {
    super();
    this.userId = userId;
    this.email = email;
  }
}

export class ChangeEmail extends Command {
  static readonly schema = userSchema;
  readonly userId: string;
  readonly email: string;

  constructor(userId: string, email: string) {
    super();
    this.userId = userId;
    this.email = email;
  }
}

export class DeleteUser extends Command {
  static readonly schema = idSchema;
  readonly userId: string;

  constructor(userId: string) {
    super();
    this.userId = userId;
  }
}

export class GetUser extends Query<User | undefined> {
  static readonly schema = idSchema;
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
