import { aFunction, checkOption, checkOptions, invalidOption, withMethods } from "../core/checks.js";
import type { HandlerContext } from "../core/delivery/delivery.js";
import { around } from "../core/pipeline/around.js";
import type { Middleware } from "../core/pipeline/middleware.js";
import type { Database } from "./database.js";
import { shortKey } from "./short-key.js";

export interface TransactionalOptions<M = object> {
  /**
   * Returns the name of the work that is to be done once, such as the id of the message; `undefined` lets a
   * message pass. Names of all buses of a schema share one table.
   */
  readonly once?: (message: M, context: HandlerContext<M>) => string | undefined;
}

/**
 * Runs each message of a bus in one transaction: what handlers write through `db`, events and commands included, is one
 * commit. A nested dispatch joins the transaction of its handler.
 *
 * Guarantees: rolls back if the rest of the pipeline rejects, or if the dispatch was aborted meanwhile. With
 * `once`, a message whose key was committed before is fulfilled without running; two at the same time, in any two
 * processes, wait for each other; a failure uses no key up.
 *
 * For commands and events. A stream that a handler returns is not part of the transaction.
 *
 * @throws InvalidOptionsError
 * @example
 * new CommandBus({ middleware: [transactional(db, { once: (_, { envelope }) => envelope.meta.id })] });
 */
export function transactional<M extends object = object, R = unknown>(
  db: Database,
  options: TransactionalOptions<M> = {},
): Middleware<M, R> {
  checkOption("transactional()", "db", db, withMethods("a Database", "transaction", "begin"));
  checkOptions<TransactionalOptions<M>>("transactional()", options, { once: aFunction });
  const { once } = options;
  return around<M, R>(async function transactional(message, next, delivery) {
    const key = once?.(message, delivery);
    if (key !== undefined && (typeof key !== "string" || key === ""))
      throw invalidOption("transactional()", "once", "a function that returns a text or undefined", key);
    const run = async (): Promise<R> => {
      if (key !== undefined && !(await isFirst(db, key))) return undefined as R;
      const result = await next();
      delivery.signal.throwIfAborted();
      return result;
    };
    // A message that was enqueued within a transaction may run after its end, and is then a unit of work of its own.
    return db.outlived ? db.begin(run) : db.transaction(run);
  });
}

/** Waits for another transaction that has the same key, and returns false if that one was committed. */
async function isFirst(db: Database, key: string): Promise<boolean> {
  const { rows } = await db.query(
    `insert into ${db.schema}.inbox (key) values ($1) on conflict do nothing returning 1`,
    [shortKey(key)],
  );
  return rows.length > 0;
}
