import { stepFactoryOf, type BuildContext, type Step } from "./form.js";
import type { Middleware } from "./middleware.js";
import { operatorStep } from "./operator-step.js";

/**
 * Joins middleware into one function over `rest`, the first one outermost, so that no message composes anything.
 * Neighbouring operators share one subscription for each message.
 */
export function compose(middleware: readonly Middleware[], rest: Step, context: BuildContext): Step {
  return neighbours(middleware).reduceRight<Step>((below, group, index) => {
    const here = { ...context, outermost: context.outermost && index === 0 };
    const factory = stepFactoryOf(group[0]);
    return factory === undefined ? operatorStep(group, below, here.outermost) : factory(below, here);
  }, rest);
}

/** Groups neighbouring operators; every other middleware is a group of its own. */
function neighbours(middleware: readonly Middleware[]): [Middleware, ...Middleware[]][] {
  const groups: [Middleware, ...Middleware[]][] = [];
  for (const item of middleware) {
    const last = groups.at(-1);
    if (last !== undefined && stepFactoryOf(item) === undefined && stepFactoryOf(last[0]) === undefined)
      last.push(item);
    else groups.push([item]);
  }
  return groups;
}
