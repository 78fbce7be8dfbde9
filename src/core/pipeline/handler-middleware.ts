import { resultOfHandler } from "../delivery/consume-stream.js";
import type { Closeable, DeliveryHost } from "../delivery/delivery-host.js";
import type { LiveDelivery } from "../delivery/live-delivery.js";
import type { Registration } from "../handlers/handler.js";
import { checkMiddleware } from "./check-middleware.js";
import { compose } from "./compose.js";
import { middlewareName, type BuildContext, type Step } from "./form.js";
import type { Middleware } from "./middleware.js";

/** A handler with middleware around it alone. */
export interface WrappedRegistration extends Registration {
  /** Builds the middleware for a bus before its first message, so that a wrong one is refused at once. */
  build(host: DeliveryHost): void;
  /** Lets middleware that hold messages release them, because the handler is unregistered. */
  release(): void;
}

/** What a kind of bus does when one of its handlers is unregistered. */
export interface HandlerRelease {
  /** Releases the middleware that the bus has put around the handler. */
  readonly release?: (registration: Registration) => void;
}

/**
 * Puts middleware around one handler: a message passes it on a fork of its own, so that repeating, limiting or
 * rejecting this handler changes no other handler of the message. The middleware keep their state apart from
 * those of other handlers.
 */
export function withMiddleware(
  registration: Registration,
  middleware: readonly Middleware[],
  option: string,
  context?: Pick<BuildContext, "everyHandler">,
): WrappedRegistration {
  for (const [index, item] of middleware.entries()) checkMiddleware(item, `${option}[${index}]`);
  const steps = new WeakMap<DeliveryHost, Step>();
  const detachments = new Map<Closeable, () => void>();
  const toHandler: Step = (delivery) =>
    resultOfHandler(registration.call(delivery.message as never, delivery as LiveDelivery<never>), delivery);

  const stepFor = (host: DeliveryHost): Step => {
    let step = steps.get(host);
    if (step !== undefined) return step;
    const attach = (part: Closeable): (() => void) => {
      const detach = host.attach(part);
      detachments.set(part, detach);
      return detach;
    };
    step = compose(middleware, toHandler, { ...context, host, outermost: true, attach, scope: {} });
    steps.set(host, step);
    return step;
  };

  return {
    ...registration,
    middleware: [...middleware.map(middlewareName), ...(registration.middleware ?? [])],
    call(_message, context) {
      const fork = (context as unknown as LiveDelivery).forked();
      fork.run(stepFor(fork.host));
      return fork.asResult();
    },
    build: stepFor,
    release() {
      for (const [part, detach] of detachments) {
        detach();
        if (part.flush === undefined) part.stop?.();
        else part.flush();
      }
      detachments.clear();
    },
  };
}
