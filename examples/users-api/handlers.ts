// The business logic. No HTTP here: endpoints, the command line and jobs reach it through the buses.
import { fulfilled, ofType } from "cqrx";
import type { Logger } from "pino";
import type { Buses } from "./buses.js";
import { UserExistsError, UserNotFoundError } from "./errors.js";
import {
  ChangeEmail,
  CreateUser,
  DeleteUser,
  EmailChanged,
  GetUser,
  ListUsers,
  UserCreated,
  UserDeleted,
} from "./messages.js";
import type { UserStore } from "./store.js";

export function registerHandlers(
  { commandBus, queryBus, eventBus }: Buses,
  users: UserStore,
  logger: Logger,
): void {
  commandBus.register(CreateUser, async ({ userId, email }, context) => {
    if (!(await users.insert({ userId, email }))) throw new UserExistsError(userId);
    await eventBus.publish(new UserCreated({ userId }), { causedBy: context });
  });

  commandBus.register(ChangeEmail, async ({ userId, email }, context) => {
    if (!(await users.update({ userId, email }))) throw new UserNotFoundError(userId);
    await eventBus.publish(new EmailChanged({ userId }), { causedBy: context });
  });

  commandBus.register(DeleteUser, async ({ userId }, context) => {
    if (!(await users.remove(userId))) throw new UserNotFoundError(userId);
    await eventBus.publish(new UserDeleted({ userId }), { causedBy: context });
  });

  queryBus.register(GetUser, ({ userId }) => users.get(userId), {
    refreshOn: commandBus.outcomes$.pipe(ofType(CreateUser, ChangeEmail, DeleteUser), fulfilled()),
    affects: ({ envelope }, query) => envelope.payload.userId === query.userId,
  });
  queryBus.register(ListUsers, () => users.list());

  eventBus.register(UserCreated, ({ userId }) =>
    logger.info({ userId }, "a welcome mail would be sent here"),
  );
}
