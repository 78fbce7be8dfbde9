import { describe, expect, it } from "@jest/globals";
import { Envelope, InvalidMessageError, type StandardSchema } from "cqrx";

class Address {
  readonly city: string;

  constructor(city: string) {
    this.city = city;
  }
}

class CreateUser {
  readonly userId: string;
  readonly email: string;

  constructor(userId: string, email: string) {
    this.userId = userId;
    this.email = email;
  }
}

class Everything {
  readonly content: unknown;

  constructor(content: unknown) {
    this.content = content;
  }
}

const roundTrip = (content: unknown): unknown =>
  Envelope.fromJSON(JSON.stringify(Envelope.of(new Everything(content))), Everything).payload.content;

function refusal(run: () => unknown): InvalidMessageError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidMessageError);
    return error as InvalidMessageError;
  }
  throw new Error("was accepted");
}

describe("envelopes over plain classes", () => {
  it("X24 a plain class makes the round trip, and the copy is an instance of it", () => {
    const original = new CreateUser("u1", "a@b.com");
    const { payload } = Envelope.fromJSON(JSON.stringify(Envelope.of(original)), CreateUser);

    expect(payload).toBeInstanceOf(CreateUser);
    expect(payload).toEqual(original);
    expect(payload).not.toBe(original);
  });

  const kept: [string, unknown][] = [
    ["a Date", new Date("2024-02-29T12:00:00.123Z")],
    [
      "a Map with object values",
      new Map<unknown, unknown>([
        ["a", { b: new Date(0) }],
        [1, 2n],
      ]),
    ],
    ["a Set", new Set([1, "1", null])],
    ["a bigint beyond 2^53", -(2n ** 80n)],
    ["bytes", new Uint8Array([0, 127, 128, 255])],
    ["undefined beside null", { a: undefined, b: null }],
    ["NaN, infinities and -0", [NaN, Infinity, -Infinity, -0]],
    ["nested objects and arrays", { list: [{ deep: [new Set([new Map()])] }] }],
    ["an object that looks like a tag", { $date: "not one" }],
  ];
  it.each(kept)("X25 %s in a payload is the same after the round trip", (_, value) => {
    expect(roundTrip(value)).toEqual(value);
  });

  it("X25 a nested class instance is refused with its path, unless the message has toJSON and fromJSON", () => {
    expect(refusal(() => roundTrip({ home: new Address("Paris") }))).toMatchObject({
      code: "INVALID_MESSAGE",
      path: "payload.content.home",
    });

    class Move {
      static fromJSON(json: unknown): Move {
        return new Move(new Address((json as { to: string }).to));
      }

      readonly to: Address;

      constructor(to: Address) {
        this.to = to;
      }

      toJSON(): unknown {
        return { to: this.to.city };
      }
    }
    const { payload } = Envelope.fromJSON(JSON.stringify(Envelope.of(new Move(new Address("Rome")))), Move);
    expect(payload).toEqual(new Move(new Address("Rome")));
    expect(payload.to).toBeInstanceOf(Address);
  });
});

describe("reading wrong data", () => {
  const payload = { userId: "u1", email: "a@b.com" };
  const read = (json: unknown): unknown => Envelope.fromJSON(json, CreateUser);

  const wrong: [string, unknown, string][] = [
    ["version 0", { meta: { version: 0 }, payload }, "meta.version"],
    ["version abc", { meta: { version: "abc" }, payload }, "meta.version"],
    ["version 2.9", { meta: { version: 2.9 }, payload }, "meta.version"],
    ["version -3", { meta: { version: -3 }, payload }, "meta.version"],
    ["a version from the future", { meta: { version: 2 }, payload }, "meta.version"],
    ["a missing payload", { meta: {} }, "payload"],
    ["a payload that is a list", { payload: [] }, "payload"],
    ["a payload that is text", { payload: "u1" }, "payload"],
    ["another message's name", { meta: { name: "DeleteUser" }, payload }, "meta.name"],
    ["a name that is a number", { meta: { name: 1 }, payload }, "meta.name"],
    ["headers that are a list", { meta: { headers: [] }, payload }, "meta.headers"],
    ["a header that is not a text", { meta: { headers: { a: 1 } }, payload }, 'meta.headers."a"'],
    ["meta that is text", { meta: "x", payload }, "meta"],
    ["no object", 42, "envelope"],
    ["no JSON", "{", "envelope"],
  ];
  it.each(wrong)("X26 %s is refused with InvalidMessageError and its path", (_, json, path) => {
    expect(refusal(() => read(json))).toMatchObject({
      code: "INVALID_MESSAGE",
      path,
      messageType: "CreateUser",
    });
  });

  it("X26 an extra or missing field is refused by the class's schema, with its path", () => {
    const isUser = (value: unknown): value is CreateUser =>
      Object.keys(value as object).join() === "userId,email";
    const schema: StandardSchema<unknown, CreateUser> = {
      "~standard": {
        version: 1,
        vendor: "spec",
        validate: (value) =>
          isUser(value) ? { value } : { issues: [{ message: "is not exact", path: ["email"] }] },
      },
    };
    class Checked extends CreateUser {
      static readonly schema = schema;
    }

    expect(Envelope.fromJSON({ payload }, Checked).payload).toBeInstanceOf(Checked);
    for (const bad of [{ ...payload, extra: 1 }, { userId: "u1" }])
      expect(refusal(() => Envelope.fromJSON({ payload: bad }, Checked))).toMatchObject({
        path: "payload.email",
      });
  });

  it("X26 an older version is lifted by static upcast, and refused without one", () => {
    class Renamed {
      static readonly version = 2;

      static upcast(old: unknown, version: number): unknown {
        return { address: (old as { mail: string }).mail, from: version };
      }

      readonly address: string = "";
    }
    class NotLifted {
      static readonly version = 2;
      readonly address: string = "";
    }

    const envelope = Envelope.fromJSON({ meta: { version: 1 }, payload: { mail: "a@b.com" } }, Renamed);
    expect(envelope.payload).toMatchObject({ address: "a@b.com", from: 1 });
    expect(envelope.payload).toBeInstanceOf(Renamed);
    expect(envelope.meta.version).toBe(2);
    expect(refusal(() => Envelope.fromJSON({ meta: { version: 1 }, payload: {} }, NotLifted))).toMatchObject({
      path: "meta.version",
    });
  });

  it("X27 headers changed after fromJSON or of do not change the envelope, which is frozen", () => {
    const headers: Record<string, string> = { tenant: "t1" };
    const data = { meta: { headers }, payload: { ...payload } };
    const envelopes = [
      Envelope.fromJSON(data, CreateUser),
      Envelope.of(new CreateUser("u1", "a@b.com"), { headers }),
    ];
    headers["tenant"] = "t2";
    headers["more"] = "x";
    data.payload.userId = "u2";

    for (const { meta, payload } of envelopes) {
      expect(meta.headers).toEqual({ tenant: "t1" });
      expect(payload.userId).toBe("u1");
      expect(Object.isFrozen(meta)).toBe(true);
      expect(Object.isFrozen(meta.headers)).toBe(true);
    }
  });
});
