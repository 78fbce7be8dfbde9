/** As koa-compose composes: once, and with its guard against a next() called twice. */
export function koaCompose(middleware) {
  return (context, next) => {
    let index = -1;
    return dispatch(0);
    function dispatch(i) {
      if (i <= index) return Promise.reject(new Error("next() called multiple times"));
      index = i;
      const fn = i === middleware.length ? next : middleware[i];
      if (!fn) return Promise.resolve();
      try {
        return Promise.resolve(fn(context, dispatch.bind(null, i + 1)));
      } catch (error) {
        return Promise.reject(error);
      }
    }
  };
}

/** The least that a chain of functions can do: `next` is a closure per middleware and message, and nothing is guarded. */
export function plainCompose(middleware, handler) {
  return middleware.reduceRight((rest, each) => (message) => each(message, () => rest(message)), handler);
}
