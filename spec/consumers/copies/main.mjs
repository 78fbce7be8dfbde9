// Copies that no exports map can join: another installed version, and one in the bundle of a dependency.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { CommandBus, TwoCopiesError } from "cqrx";
import * as bundled from "./bundled.mjs";
import * as installed from "./installed/main.mjs";

const { version } = JSON.parse(
  readFileSync(new URL("../node_modules/cqrx/package.json", import.meta.url), "utf8"),
);

class CreateUser {}

for (const [copy, otherVersion] of [
  [bundled, version],
  [installed, "99.0.0"],
]) {
  assert.notEqual(copy.CommandBus, CommandBus);
  assert.throws(
    () => new CommandBus({ middleware: [copy.limit()] }),
    (error) => {
      assert.ok(error instanceof TwoCopiesError);
      assert.ok(error instanceof copy.TwoCopiesError);
      assert.ok(
        error.message.includes(`two copies of cqrx (versions ${version} and ${otherVersion})`),
        error.message,
      );
      return true;
    },
  );
  const bus = new copy.CommandBus({ middleware: [copy.limit()] });
  const seen = [];
  bus.register(CreateUser, (_, context) => own.dispatch(new CreateUser(), { causedBy: context }));
  const own = new CommandBus();
  own.register(CreateUser, (_, { envelope }) => void seen.push(envelope.meta.causationId));
  await bus.dispatch(copy.Envelope.of(new CreateUser(), { id: "first" }));
  assert.deepEqual(seen, ["first"]);
}
console.log(`done on ${process.version}`);
