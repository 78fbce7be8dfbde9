// The users service with a store whose inserts wait until the spec lets them go on.
import { appendFileSync } from "node:fs";
import { start } from "../../../examples/users-api/main.js";
import { MemoryStore, type User, type UserStore } from "../../../examples/users-api/store.js";

const memory = new MemoryStore();
const opened = new Promise((resolve) => process.once("message", resolve));
let waiting = 0;

const gated: UserStore = {
  get: (userId) => memory.get(userId),
  list: () => memory.list(),
  update: (user) => memory.update(user),
  remove: (userId) => memory.remove(userId),
  async insert(user: User) {
    console.log(`waiting: ${++waiting}`);
    await opened;
    appendFileSync(process.env["LEDGER"]!, `${user.userId}\n`);
    return memory.insert(user);
  },
};

void start(gated);
