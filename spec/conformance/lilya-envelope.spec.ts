import { describe, expect, it } from "@jest/globals";
import { Envelope } from "cqrx";

class CreateUser {
  static readonly messageName = "users.create";

  readonly userId: string;
  readonly email: string;

  constructor(userId: string, email: string) {
    this.userId = userId;
    this.email = email;
  }
}

class Plain {
  readonly text: string = "";
}

describe("the envelope", () => {
  it("L15 an envelope is written with its name, version, header and the payload's fields", () => {
    const envelope = Envelope.of(new CreateUser("u1", "a@b.com"), {
      name: "CreateUser",
      version: 3,
      headers: { "x-request-id": "r1" },
    });

    expect(envelope.toJSON()).toMatchObject({
      meta: { name: "CreateUser", version: 3, headers: { "x-request-id": "r1" } },
      payload: { userId: "u1", email: "a@b.com" },
    });
    expect(JSON.parse(JSON.stringify(envelope))).toEqual(envelope.toJSON());
  });

  it("L16 an envelope that was written is read again, with an equal payload of the class", () => {
    const envelope = Envelope.of(new CreateUser("u1", "a@b.com"), { headers: { tenant: "t1" } });
    const copy = Envelope.fromJSON(envelope.toJSON(), CreateUser);

    expect(copy.meta).toEqual(envelope.meta);
    expect(copy.meta.name).toBe("users.create");
    expect(copy.payload).toEqual(new CreateUser("u1", "a@b.com"));
    expect(copy.payload).toBeInstanceOf(CreateUser);
    expect(copy.payload).not.toBe(envelope.payload);
  });

  it("L16 the text of an envelope is read like its data", () => {
    const envelope = Envelope.of(new CreateUser("u1", "a@b.com"));
    const copy = Envelope.fromJSON(JSON.stringify(envelope), CreateUser);

    expect(copy.meta).toEqual(envelope.meta);
    expect(copy.payload).toEqual(envelope.payload);
  });

  it("L17 a payload with toJSON() is written by it", () => {
    class Money {
      static fromJSON(json: unknown): Money {
        const [amount, currency] = (json as { money: string }).money.split(" ");
        return new Money(BigInt(amount!), currency!);
      }

      readonly #amount: bigint;

      readonly currency: string;

      constructor(amount: bigint, currency: string) {
        this.#amount = amount;
        this.currency = currency;
      }

      toJSON(): unknown {
        return { money: `${this.#amount} ${this.currency}` };
      }
    }
    const envelope = Envelope.of(new Money(5n, "EUR"));

    expect(envelope.toJSON().payload).toEqual({ money: "5 EUR" });
    expect(Envelope.fromJSON(JSON.stringify(envelope), Money).toJSON()).toEqual(envelope.toJSON());
  });

  it("L18 data with nothing but a payload is read with the message's name, version 1 and no headers", () => {
    const { meta, payload } = Envelope.fromJSON({ payload: { userId: "u1", email: "a@b.com" } }, CreateUser);

    expect(meta).toMatchObject({ name: "users.create", version: 1, headers: {} });
    expect(meta.correlationId).toBe(meta.id);
    expect(payload).toEqual(new CreateUser("u1", "a@b.com"));
    expect(payload).toBeInstanceOf(CreateUser);
  });

  it("L18 a class without a message name is known by its class name", () => {
    expect(Envelope.fromJSON({ payload: { text: "x" } }, Plain).meta.name).toBe("Plain");
  });
});
