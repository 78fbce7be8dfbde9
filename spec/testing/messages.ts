import { Query } from "cqrx";

export class CreateUser {
  readonly userId: string;

  constructor(userId: string) {
    this.userId = userId;
  }
}

export class DeleteUser {
  readonly userId: string;

  constructor(userId: string) {
    this.userId = userId;
  }
}

export class GetName extends Query<string> {}
