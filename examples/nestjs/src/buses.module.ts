// The buses as providers: their classes are the tokens, so that a constructor parameter `commandBus: CommandBus` is enough.
import { Global, Module, type BeforeApplicationShutdown } from "@nestjs/common";
import { closeAll, CommandBus, EventBus, QueryBus } from "cqrx";
import { timeLimit } from "cqrx/middleware";

@Global()
@Module({
  providers: [
    { provide: CommandBus, useFactory: () => new CommandBus({ middleware: [timeLimit(10_000)] }) },
    { provide: QueryBus, useFactory: () => new QueryBus() },
    { provide: EventBus, useFactory: () => new EventBus() },
  ],
  exports: [CommandBus, QueryBus, EventBus],
})
export class BusesModule implements BeforeApplicationShutdown {
  constructor(
    private readonly commandBus: CommandBus,
    private readonly eventBus: EventBus,
    private readonly queryBus: QueryBus,
  ) {}

  /** Before the server stops listening: closing the query bus ends the live queries, for which the server would wait. */
  async beforeApplicationShutdown(): Promise<void> {
    await closeAll([this.commandBus, this.eventBus, this.queryBus], { timeoutMs: 5_000 });
  }
}
