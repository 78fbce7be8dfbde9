import { Ping } from "./message.mjs";

// The buses of @nestjs/cqrs as CqrsModule makes them, given their handlers as it gives them, but without an application around them.
// A handler whose dependencies are static is a plain instance to the bus, so that the module reference is never used.

const noModule = undefined;

export async function commandBus(handler) {
  const { CommandBus, CommandHandler } = await import("@nestjs/cqrs");
  class PingHandler {
    execute(command) {
      return handler(command);
    }
  }
  CommandHandler(Ping)(PingHandler);
  const bus = new CommandBus(noModule);
  bus.register([await wrapped(PingHandler)]);
  return bus;
}

export async function queryBus(handler) {
  const { QueryBus, QueryHandler } = await import("@nestjs/cqrs");
  class PingHandler {
    execute(query) {
      return handler(query);
    }
  }
  QueryHandler(Ping)(PingHandler);
  const bus = new QueryBus(noModule);
  bus.register([await wrapped(PingHandler)]);
  return bus;
}

export async function eventBus(handlers) {
  const { CommandBus, EventBus, EventsHandler, UnhandledExceptionBus } = await import("@nestjs/cqrs");
  const bus = new EventBus(new CommandBus(noModule), noModule, new UnhandledExceptionBus());
  for (const handler of handlers) {
    class PingHandler {
      handle(event) {
        return handler(event);
      }
    }
    EventsHandler(Ping)(PingHandler);
    bus.register([await wrapped(PingHandler)]);
  }
  return bus;
}

/** The wrapper that the container hands to a bus for a handler class. */
async function wrapped(metatype) {
  const { InstanceWrapper } = await import("@nestjs/core/injector/instance-wrapper.js");
  return new InstanceWrapper({
    name: metatype.name,
    token: metatype,
    metatype,
    instance: new metatype(),
    isResolved: true,
  });
}
