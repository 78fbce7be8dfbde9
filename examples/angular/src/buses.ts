import {
  DestroyRef,
  inject,
  makeEnvironmentProviders,
  provideEnvironmentInitializer,
  type EnvironmentProviders,
} from "@angular/core";
import { CommandBus, QueryBus } from "cqrx";
import { ReadingHandlers } from "./reading-handlers";

/** Provides the buses under their classes: `inject(CommandBus)`. They close together with their injector. */
export function provideBuses(): EnvironmentProviders {
  return makeEnvironmentProviders([
    { provide: CommandBus, useFactory: () => closedWithInjector(new CommandBus()) },
    { provide: QueryBus, useFactory: () => closedWithInjector(new QueryBus()) },
    ReadingHandlers,
    // Handlers register themselves when they are made, which must be before the first message.
    provideEnvironmentInitializer(() => void inject(ReadingHandlers)),
  ]);
}

function closedWithInjector<B extends CommandBus | QueryBus>(bus: B): B {
  inject(DestroyRef).onDestroy(() => void bus.close());
  return bus;
}
