import { Observable, type Subscriber } from "rxjs";
import { anObject, aText, invalidOption, type Check } from "../core/checks.js";
import { abortOn } from "../core/delivery/abort.js";
import { markCrossing } from "../core/delivery/crossing.js";
import type { HandlerContext } from "../core/delivery/delivery.js";
import { HandlerNotFoundError } from "../core/errors.js";
import { createEnvelope, type Envelope } from "../core/messages/envelope.js";
import { nameOf, typeOf, type MessageKind, type MessageType } from "../core/messages/message.js";
import { ignored, isThenable } from "../core/util/thenable.js";
import { startTimer } from "../core/util/timers.js";
import { callAddress } from "./address.js";
import { callFrame } from "./call-frames.js";
import { NotSentError, OutcomeUnknownError } from "./errors.js";
import type { LinkContext } from "./link-context.js";
import { OutgoingCall, type CallObserver, type CallSpec } from "./outgoing-call.js";
import { storedFrame, type StoredFormat } from "./stored-frames.js";

/** The waits before a lost live query is asked again, in milliseconds. */
const AGAIN_MS = [100, 500, 1_000, 2_000, 5_000] as const;

export interface RemoteHandlerOptions {
  readonly kind: MessageKind;
  readonly type: MessageType;
  readonly stored: boolean;
  readonly timeoutMs: number;
  readonly key: ((message: never) => string | undefined) | undefined;
  readonly format: StoredFormat;
}

type RemoteHandler = (message: object, context: HandlerContext) => unknown;

/** Returns the handler of a type whose messages other processes handle. Its name is what `describe()` shows. */
export function remoteHandler(link: LinkContext, options: RemoteHandlerOptions): RemoteHandler {
  const { type, kind, stored } = options;
  const send: RemoteHandler = stored
    ? (message, context) => store(link, options, message, context)
    : (_, context) => call(link, options, context);
  const handler: RemoteHandler = (message, context) => {
    if (link.incoming.has(context.envelope)) {
      // An event that came in has its other handlers here. A command or query would go round in a circle.
      if (kind === "event") return undefined;
      throw new HandlerNotFoundError(nameOf(type), " This process serves it, and only routes it on.");
    }
    // A class of events names those below it, and those are not routed unless they are listed.
    return typeOf(message) === type ? send(message, context) : undefined;
  };
  markCrossing(handler, stored ? "stored" : "call");
  return Object.defineProperty(handler, "name", { value: `remote(${link.transport.name})` });
}

/** Returns the envelope with the headers that the link adds to messages that leave. */
function outgoing(link: LinkContext, context: HandlerContext): Envelope {
  const { envelope } = context;
  const added = link.headers?.(context);
  checkReturned("new Link()", "headers", added, anObject);
  if (added === undefined || Object.keys(added).length === 0) return envelope;
  const { meta, payload } = envelope;
  return createEnvelope(payload, { ...meta, headers: { ...meta.headers, ...added } });
}

/** Refuses what a function of the application returned; a promise, too, which is an object without fields. */
function checkReturned(source: string, option: string, value: unknown, { expected, accepts }: Check): void {
  if (value === undefined || (accepts(value) && !isThenable(value))) return;
  ignored(value);
  throw invalidOption(source, option, `a function that returns ${expected} or undefined`, value);
}

async function store(
  link: LinkContext,
  { kind, type, timeoutMs, key, format }: RemoteHandlerOptions,
  message: object,
  context: HandlerContext,
): Promise<void> {
  const said = key?.(message as never);
  checkReturned("link.route()", "key", said, aText);
  await storedFrame(link, {
    envelope: outgoing(link, context),
    kind: kind as "command" | "event",
    type,
    key: said,
    format,
    timeoutMs,
    signal: context.signal,
  });
}

function call(link: LinkContext, options: RemoteHandlerOptions, context: HandlerContext): unknown {
  const { reply } = context;
  const credit = reply === "one" ? 0 : reply === "live" ? 1 : link.streamCredit;
  const type = nameOf(options.type);
  const spec = (): CallSpec => {
    const envelope = outgoing(link, context);
    return {
      address: callAddress(options.kind, type),
      type,
      id: envelope.meta.id,
      frame: callFrame({ reply, credit }, JSON.stringify(envelope)),
      timeoutMs: options.timeoutMs,
      credit,
    };
  };
  if (reply === "one") return one(link, spec(), context);
  return new Observable((subscriber) =>
    reply === "live" ? live(link, spec, subscriber) : streamed(new OutgoingCall(link, spec(), subscriber)),
  );
}

function one(link: LinkContext, spec: CallSpec, context: HandlerContext): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let result: unknown;
    let forget = (): void => undefined;
    const outgoing = new OutgoingCall(link, spec, {
      next: (value) => (result = value),
      complete() {
        forget();
        resolve(result);
      },
      error(error) {
        forget();
        reject(error);
      },
    });
    forget = abortOn(context.signal, {
      cancel(reason) {
        outgoing.cancel();
        reject(reason);
      },
    });
  });
}

const streamed = (call: OutgoingCall) => (): void => call.cancel();

/**
 * Keeps a live query alive: asks again when its process is gone, because the state that it shows would be stale
 * otherwise.
 */
function live(link: LinkContext, spec: () => CallSpec, subscriber: Subscriber<unknown>): () => void {
  let current: OutgoingCall | undefined;
  let stopTimer: (() => void) | undefined;
  let showed = false;
  let lost = 0;
  const again = (): void => {
    const waitMs = AGAIN_MS[Math.min(lost++, AGAIN_MS.length - 1)]!;
    stopTimer = startTimer(waitMs * (0.5 + Math.random() / 2), start, { keepAlive: true });
  };
  const observer: CallObserver = {
    next(value) {
      showed = true;
      lost = 0;
      subscriber.next(value);
    },
    // The bus of the other process was closed.
    complete: again,
    error(error) {
      if (!link.closed && showed && isLost(error)) again();
      else subscriber.error(error);
    },
  };
  const start = (): void => {
    try {
      const next = spec();
      // The headers of the link are a function of the application, which may have ended the subscriber.
      if (!subscriber.closed) current = new OutgoingCall(link, next, observer);
    } catch (error) {
      // Catch here, because a timer starts the call again, and an error in a timer ends the process.
      subscriber.error(error);
    }
  };
  start();
  return () => {
    stopTimer?.();
    current?.cancel();
  };
}

/** Returns whether an error means that the process that answered is gone, and not that it failed. */
function isLost(error: unknown): boolean {
  return (
    error instanceof NotSentError ||
    error instanceof OutcomeUnknownError ||
    error instanceof HandlerNotFoundError ||
    ["BUS_CLOSED", "LINK_CLOSED"].includes((error as { code?: string }).code ?? "")
  );
}
