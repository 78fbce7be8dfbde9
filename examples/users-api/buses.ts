// Puts the parts together: three buses with their middleware and handlers. HTTP, the command line and jobs share them.
import { closeAll, CommandBus, EventBus, QueryBus, when } from "cqrx";
import { authorization, validation } from "cqrx/middleware";
import { logTo } from "cqrx/pino";
import type { Logger } from "pino";
import { registerHandlers } from "./handlers.js";
import { DeleteUser } from "./messages.js";
import { MemoryStore, type UserStore } from "./store.js";

export interface Buses {
  readonly commandBus: CommandBus;
  readonly queryBus: QueryBus;
  readonly eventBus: EventBus;
}

/** The role travels in the headers of a message, whichever way the message comes in. */
const isAdmin = authorization<DeleteUser>((_, { envelope }) => envelope.meta.headers["x-role"] === "admin");

export function createBuses(logger: Logger, users: UserStore = new MemoryStore()): Buses {
  const commandBus = new CommandBus({ middleware: [when(DeleteUser, isAdmin)] });
  const queryBus = new QueryBus({ middleware: [validation()] });
  const eventBus = new EventBus();
  const buses = { commandBus, queryBus, eventBus };
  // A warning, because a command that a user may not send is not an error of the service.
  for (const bus of Object.values(buses))
    logTo(bus, logger, { headers: ["x-request-id"], levels: { rejected: "warn" } });
  registerHandlers(buses, users, logger);
  return buses;
}

export async function closeBuses(
  { commandBus, queryBus, eventBus }: Buses,
  timeoutMs: number,
): Promise<void> {
  await closeAll([commandBus, queryBus, eventBus], { timeoutMs });
}
