import { runInNewContext } from "node:vm";
import { afterEach, describe, expect, it, jest } from "@jest/globals";
import { Query, QueryBus, type HandlerContext } from "cqrx";
import { caching, coalescing, messageKey } from "cqrx/middleware";
import fc from "fast-check";
import { canaries, withTraps } from "../../support/traps.js";

class Find extends Query<unknown> {
  readonly value: unknown;

  constructor(value: unknown) {
    super();
    this.value = value;
  }
}

/** Returns a class under a name that other classes have, too. */
function another(): typeof Find {
  return {
    Find: class Find extends Query<unknown> {
      readonly value: unknown;
      constructor(value: unknown) {
        super();
        this.value = value;
      }
    },
  }.Find;
}

const key = (value: unknown): string => messageKey(new Find(value));

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (value instanceof Map) return new Map([...value].reverse().map(([k, v]) => [reversed(k), reversed(v)]));
  if (value instanceof Set) return new Set([...value].reverse().map(reversed));
  if (typeof value !== "object" || value === null) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  const copy: object = Object.create(prototype);
  for (const name of Reflect.ownKeys(value).reverse())
    Object.defineProperty(copy, name, {
      value: reversed((value as never)[name]),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  return copy;
}

const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withNullPrototype: true,
  withSparseArray: true,
  withTypedArray: true,
});

/** Asks one more query, and finds it again. */
afterEach(async () => {
  const bus = new QueryBus({ middleware: [coalescing(), caching({ store: new Map() })] });
  let runs = 0;
  bus.register(Find, () => ++runs);
  expect([await bus.ask(new Find("canary")), await bus.ask(new Find("canary"))]).toEqual([1, 1]);
  await canaries(bus);
});

describe("messageKey", () => {
  it("90 reads like the message", () => {
    class GetUser {
      readonly tags = ["a", 1n];
      readonly userId = "u1";
    }
    expect(messageKey(new GetUser())).toBe('GetUser{"tags":["a",1n],"userId":"u1"}');
    class GetUsers {}
    expect(messageKey(new GetUsers())).toBe("GetUsers{}");
  });

  it("90 is the same for any order of the properties, at any depth", () =>
    fc.assert(
      fc.property(anything, (value) => {
        expect(key(reversed(value))).toBe(key(value));
      }),
    ));

  it("90 is the same for a copy", () =>
    fc.assert(
      fc.property(fc.clone(anything, 2), ([a, b]) => {
        expect(key(a)).toBe(key(b));
      }),
    ));

  it("90 differs for values that differ", () => {
    const nowhere: { value?: unknown } = {};
    // eslint-disable-next-line no-sparse-arrays
    const hole = [1, , 2];
    const values = [
      1, "1", 1n, "1n", true, "true", null, "null", undefined, "undefined", NaN, "NaN", Infinity, -Infinity, 0, "0", "", " ",
      0.1, 1e21, "symbol(\"a\")", Symbol.for("a"), Symbol("a"), Symbol("a"), () => 1, () => 1, Date, [], {}, [[]], [{}],
      { a: 1 }, { a: "1" }, { a: undefined }, { a: null }, { a: {} }, { b: 1 }, { a: 1, b: 1 }, { "a:1,b": 1 }, { 'a":1,"b': 1 },
      [1, 2], [2, 1], [12], ["1,2"], hole, [1, undefined, 2], [undefined], new Array(1), new Array(2), Object.assign([1], { x: 1 }),
      new Date(0), new Date(1), new Date(NaN), new Map(), new Map([[1, 2]]), new Map([[2, 1]]), new Map([["1", 2]]),
      new Map([[1, [2]]]), new Set(), new Set([1]), new Set(["1"]), new Set([1, 2]), new Set([[1, 2]]), new Set([new Set([1])]),
      new Uint8Array([1, 2]), new Uint8Array([1, 3]), new Uint16Array([1, 2]), new Int8Array([1, 2]), new ArrayBuffer(2),
      new Float64Array([NaN]), /a/, /a/g, new Error("a"), new TypeError("a"), new Error("b"), new Error("a", { cause: 1 }),
      new URL("http://a/"), new URL("http://b/"), Promise.resolve(1), Promise.resolve(1), new WeakMap(), new (class Empty {})(),
      JSON.parse('{"__proto__":1}'), JSON.parse('{"__proto__":{"a":1}}'), JSON.parse('{"constructor":1}'), { toString: 1 },
      { [Symbol.for("s")]: 1 }, { [Symbol.for("s")]: 2 }, Object.create(null), nowhere, "\ud800", "\ud801", "\\ud800", "a\nb", "a\\nb",
      new Find(1), new (another())(1), new Find(new Find(1)), Object(1), Object(1),
    ]; // prettier-ignore
    const keys = values.map(key);

    // {} twice.
    expect(keys[values.indexOf(nowhere)]).toBe('Find{"value":{}}');
    expect(keys.filter((one, index) => keys.indexOf(one) !== index)).toEqual(['Find{"value":{}}']);
    expect(keys).toEqual(values.map(key));
  });

  it("90 differs for any two values that are written differently", () => {
    // Numbers, texts, null, and objects of these: keys differ exactly if JSON differs, but for the order of properties.
    const canonical = (value: unknown): string =>
      Array.isArray(value)
        ? `[${value.map(canonical).join()}]`
        : typeof value === "object" && value !== null
          ? `{${Object.keys(value)
              .sort()
              .map((k) => `${JSON.stringify(k)}:${canonical((value as never)[k])}`)
              .join()}}`
          : JSON.stringify(value);
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        expect(key(a) === key(b)).toBe(canonical(a) === canonical(b));
      }),
    );
  });

  it("90 takes -0 for 0, and NaN for itself", () => {
    expect(key(-0)).toBe(key(0));
    expect(key([-0])).toBe(key([0]));
    expect(key(new Map([[0, -0]]))).toBe(key(new Map([[-0, 0]])));
    expect(key(NaN)).toBe(key(0 / 0));
  });

  it("90 tells a missing field from one that is undefined or null", () => {
    class Search {
      constructor(fields: object) {
        Object.assign(this, fields);
      }
    }
    const keys = [{}, { a: undefined }, { a: null }].map((fields) => messageKey(new Search(fields)));
    expect(new Set(keys).size).toBe(3);
  });

  it("90 is never the same for two message types, even of one name", () => {
    class GetUser {
      readonly id: number;
      constructor(id: number) {
        this.id = id;
      }
    }
    class GetOrder {
      readonly id: number;
      constructor(id: number) {
        this.id = id;
      }
    }
    expect(messageKey(new GetUser(1))).not.toBe(messageKey(new GetOrder(1)));

    const [First, Second] = [another(), another()];
    const keys = [Find, First, Second].map((Type) => messageKey(new Type(1)));
    expect(new Set(keys).size).toBe(3);
    expect(keys[0]).toBe('Find{"value":1}');
    for (const other of keys.slice(1)) expect(other).toMatch(/^Find#\d+\{"value":1\}$/);
    expect(messageKey(new First(1))).toBe(keys[1]);

    class Impostor {
      static readonly messageName = "Find#2";
      readonly value = 1;
    }
    expect(keys).not.toContain(messageKey(new Impostor()));
  });

  it("90 keeps the plain names for plain classes", () => {
    class Date {}
    expect(key(new globalThis.Date(5))).toBe('Find{"value":Date(5){}}');
    expect(key(new Date())).toMatch(/^Find\{"value":Date#\d+#\d+\{\}\}$/);
  });

  it("90 keeps the plain names for plain classes, even if an application has one of that name and sends it first", () =>
    jest.isolateModulesAsync(async () => {
      const middleware = await import("cqrx/middleware");
      const fresh = (value: unknown): string => middleware.messageKey(new Find(value));
      const { Map } = {
        Map: class Map {
          readonly id = 1;
        },
      };
      expect(fresh(new Map())).toMatch(/Map#2\{/);
      expect(fresh(new globalThis.Map([[1, 2]]))).toMatch(/Map\(/);
    }));

  it("90 reads a key called __proto__ as any other, and changes no prototype", () => {
    const hostile = (text: string): string => key(JSON.parse(text));
    expect(hostile('{"__proto__":{"isAdmin":true}}')).not.toBe(hostile('{"__proto__":{"isAdmin":false}}'));
    expect(hostile('{"__proto__":{"isAdmin":true}}')).not.toBe(key({}));
    expect(hostile('{"a":1,"__proto__":2}')).toBe(hostile('{"__proto__":2,"a":1}'));
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });

  it("90 follows cycles once", () => {
    const ring = (text: string): object => {
      const a: Record<string, unknown> = { text };
      const b = { a, list: [a] };
      a["b"] = b;
      a["map"] = new Map([[b, a]]);
      return a;
    };
    expect(key(ring("x"))).toBe(key(ring("x")));
    expect(key(ring("x"))).not.toBe(key(ring("y")));
    const self = new Find(undefined);
    Object.assign(self, { value: self });
    expect(messageKey(self)).toBe('Find{"value":^0}');
    const twice = { a: 1 };
    expect(key([twice, twice])).toBe(key([{ a: 1 }, { a: 1 }]));
  });

  it("90 reads the state that a class shows by toJSON; an object that shows none equals only itself", () => {
    class Money {
      readonly #cents: number;
      constructor(cents: number) {
        this.#cents = cents;
      }
      get cents(): number {
        return this.#cents;
      }
    }
    class Price extends Money {
      toJSON(): number {
        return this.cents;
      }
    }
    const money = new Money(1);
    expect(key(money)).toBe(key(money));
    expect(key(money)).not.toBe(key(new Money(1)));
    expect(key(new Price(1))).toBe(key(new Price(1)));
    expect(key(new Price(1))).not.toBe(key(new Price(2)));
    // As messages, too: their secrets must not make them equal.
    expect(messageKey(new Money(1))).not.toBe(messageKey(new Money(2)));
    expect(messageKey(new Price(1))).toBe(messageKey(new Price(1)));
    // Without fields, and with a toJSON that cannot be called.
    class Opaque {}
    Object.assign(Opaque.prototype, { toJSON: true });
    const opaque = new Opaque();
    expect(key(opaque)).toBe(key(opaque));
    expect(key(opaque)).not.toBe(key(new Opaque()));
    class Rows {
      static #made = 0;
      #log(): number {
        return ++Rows.#made;
      }
      readonly page = 1;
      get made(): number {
        return this.#log();
      }
    }
    expect(messageKey(new Rows())).toBe(messageKey(new Rows()));
  });

  it("90 is safe with objects of another realm", () => {
    const foreign = (code: string): unknown => runInNewContext(code) as unknown;
    expect(key(foreign("new Date(1)"))).not.toBe(key(foreign("new Date(2)")));
    expect(key(foreign("new Map([[1, 2]])"))).not.toBe(key(foreign("new Map([[1, 3]])")));
    expect(key(foreign("({ a: 1 })"))).not.toBe(key(foreign("({ a: 2 })")));
  });

  it("90 survives a message that throws, and one of any depth", () =>
    withTraps(async () => {
      const boom = new Error("boom");
      const bus = new QueryBus({ middleware: [coalescing(), caching({ store: new Map() })] });
      bus.register(Find, () => 1);
      const bad = new Find(1);
      Object.defineProperty(bad, "value", {
        enumerable: true,
        get() {
          throw boom;
        },
      });
      await expect(bus.ask(bad)).rejects.toBe(boom);
      let deep: unknown[] = [];
      for (let level = 0; level < 100_000; level++) deep = [deep];
      await expect(bus.ask(new Find(deep))).rejects.toThrow(RangeError);
      await canaries(bus);
    }));

  it("90 equal payloads of two tenants are equal only where the key says so", () =>
    withTraps(async () => {
      const tenantOf = (context: HandlerContext): string => context.envelope.meta.headers["tenant"]!;
      const byTenant = {
        key: (query: object, context: HandlerContext) => `${tenantOf(context)} ${messageKey(query)}`,
      };
      const bus = new QueryBus({
        middleware: [coalescing(byTenant), caching({ store: new Map(), ...byTenant })],
      });
      let runs = 0;
      bus.register(Find, async (_, context) => `${tenantOf(context)} ${++runs}`);
      const ask = (tenant: string): Promise<unknown> => bus.ask(new Find(1), { headers: { tenant } });

      expect(await Promise.all([ask("a"), ask("b"), ask("a")])).toEqual(["a 1", "b 2", "a 1"]);
      expect(await Promise.all([ask("b"), ask("a")])).toEqual(["b 2", "a 1"]);
      await canaries(bus);
    }));

  describe("of a message whose objects are shared", () => {
    /** A chain of levels, each of which refers to the one below twice; `reads` counts how often fields are read. */
    function chain(
      levels: number,
      leaf: unknown = 1,
    ): { readonly top: unknown; readonly reads: () => number } {
      let reads = 0;
      let value: unknown = { leaf };
      for (let level = 0; level < levels; level++) {
        const below = value;
        const get = (): unknown => {
          reads++;
          return below;
        };
        value = Object.defineProperties({}, { a: { get, enumerable: true }, b: { get, enumerable: true } });
      }
      return { top: value, reads: () => reads };
    }
    /** The same, with a copy wherever an object is shared. */
    const copied = (levels: number): unknown =>
      levels === 0 ? { leaf: 1 } : { a: copied(levels - 1), b: copied(levels - 1) };

    it.each([20, 500])("reads and writes each object a few times only, at %d levels", (levels) => {
      const { top, reads } = chain(levels);
      expect(key(top).length).toBeLessThan(50_000);
      expect(reads()).toBeLessThan(25_000);
    });

    it.each([5, 14])("is that of a message with copies, at %d levels", (levels) => {
      expect(key(chain(levels).top)).toBe(key(copied(levels)));
      expect(key([chain(levels).top, chain(levels).top])).toBe(key([copied(levels), chain(levels).top]));
    });

    it.each([5, 14, 100])("differs where anything differs, at %d levels", (levels) => {
      expect(key(chain(levels, 1).top)).toBe(key(chain(levels, 1).top));
      expect(key(chain(levels, 1).top)).not.toBe(key(chain(levels, 2).top));
      expect(key(chain(levels).top)).not.toBe(key(chain(levels + 1).top));
    });

    it("does not depend on the order of fields and members", () => {
      const big = (order: (list: unknown[]) => unknown[]): unknown =>
        new Set(order([chain(14, "a").top, chain(14, "b").top, new Map(order([[1, chain(15).top], [{ x: 1 }, 2]]) as [unknown, unknown][])])); // prettier-ignore
      expect(key(big((list) => list))).toBe(key(big((list) => list.reverse())));
    });

    it("tells where a cycle leads back to", () => {
      const loop = (back: 0 | 1): unknown => {
        const rings: Record<string, unknown>[] = [{}, {}, {}];
        rings[0]!["next"] = rings[1];
        rings[1]!["next"] = rings[2];
        Object.assign(rings[2]!, { a: rings[back], b: rings[1 - back] });
        return [chain(14).top, rings[0]];
      };
      expect(key(loop(0))).toBe(key(loop(0)));
      expect(key(loop(0))).not.toBe(key(loop(1)));
    });

    it("follows cycles once", () => {
      const ring = (leaf: number): object => {
        const top = { chain: chain(14, leaf).top, self: undefined as unknown };
        top.self = { top };
        return top;
      };
      expect(key(ring(1))).toBe(key(ring(1)));
      expect(key(ring(1))).not.toBe(key(ring(2)));
    });

    it("writes the result of toJSON", () => {
      class Shown {
        constructor(readonly n: number) {}
        toJSON(): unknown {
          return { n: this.n };
        }
      }
      const top = (n: number): unknown => [chain(14).top, new Shown(n), new Shown(n)];
      expect(key(top(1))).toBe(key(top(1)));
      expect(key(top(1))).not.toBe(key(top(2)));
    });

    it("tells large messages without shared objects apart", () => {
      const rows = (last: number): unknown[] =>
        Array.from({ length: 20_000 }, (_, n) => ({ n: n === 19_999 ? last : n }));
      expect(key(rows(0))).toBe(key(rows(0)));
      expect(key(rows(0))).not.toBe(key(rows(1)));
    });
  });
});
