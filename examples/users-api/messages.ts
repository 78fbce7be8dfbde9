// The messages of the service. Commands and events are made of schemas, so that every
// instance is valid; GetUser is a plain class, whose schema validation() checks.
import { defineCommand, defineEvent, Query } from "cqrx";
import { userSchema, type User } from "./store.js";

const idSchema = userSchema.pick({ userId: true });

export class CreateUser extends defineCommand("CreateUser", userSchema) {}
export class ChangeEmail extends defineCommand("ChangeEmail", userSchema) {}
export class DeleteUser extends defineCommand("DeleteUser", idSchema) {}

export class GetUser extends Query<User | undefined> {
  static readonly schema = idSchema;
  readonly userId: string;

  constructor(userId: string) {
    super();
    this.userId = userId;
  }
}

export class ListUsers extends Query<readonly User[]> {}

export class UserCreated extends defineEvent("UserCreated", idSchema) {}
export class EmailChanged extends defineEvent("EmailChanged", idSchema) {}
export class UserDeleted extends defineEvent("UserDeleted", idSchema) {}
