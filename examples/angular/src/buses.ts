import {
  DestroyRef,
  inject,
  makeEnvironmentProviders,
  provideEnvironmentInitializer,
  type EnvironmentProviders,
} from "@angular/core";
import { closeAll, CommandBus, QueryBus } from "cqrx";
import { ReadingHandlers } from "./reading-handlers";

/** Provides the buses under their classes: `inject(CommandBus)`. They close together when the application is destroyed. */
export function provideBuses(): EnvironmentProviders {
  return makeEnvironmentProviders([
    { provide: CommandBus, useFactory: () => new CommandBus() },
    { provide: QueryBus, useFactory: () => new QueryBus() },
    ReadingHandlers,
    provideEnvironmentInitializer(() => {
      const buses = [inject(CommandBus), inject(QueryBus)];
      // Handlers register themselves when they are made, which must be before the first message.
      inject(ReadingHandlers);
      inject(DestroyRef).onDestroy(() => void closeAll(buses, { timeoutMs: 5_000 }));
    }),
  ]);
}
