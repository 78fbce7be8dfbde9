import { Command, DomainEvent, Query } from "cqrx";

export class CreateUser extends Command {
  readonly userId: string;
  readonly email: string;

  constructor(userId: string, email: string) {
    super();
    this.userId = userId;
    this.email = email;
  }
}
export class GetUserEmail extends Query<string | null> {
  readonly userId: string;

  constructor(userId: string) {
    super();
    this.userId = userId;
  }
}
export class ListUsers extends Query<readonly string[]> {
  readonly page: number;

  constructor(page: number) {
    super();
    this.page = page;
  }
}
export class UserCreated extends DomainEvent {
  readonly userId: string;

  constructor(userId: string) {
    super();
    this.userId = userId;
  }
}
/** Without a marker it may be any kind of message. */
export class Unmarked {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}
