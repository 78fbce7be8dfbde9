import { filter, map, of, tap } from "rxjs";
import { commandBus } from "../contenders/cqrx.mjs";
import { handlers, Ping } from "../contenders/message.mjs";

function operators(valueOf) {
  let sum = 0;
  return [tap((item) => (sum += valueOf(item))), filter((item) => valueOf(item) >= 0), map((item) => item)];
}

export default {
  title: "three raw operators, async handler",
  subject: "cqrx",
  bars: { "of(x).pipe(a, b, c)": { atMost: 1.2 } },
  counted: { bars: { "of(x).pipe(a, b, c)": 1.05 } },
  contenders: {
    async cqrx() {
      const { asyncHandler, handled } = handlers();
      const bus = await commandBus(asyncHandler, { middleware: operators(({ message }) => message.value) });
      return { send: (i) => bus.dispatch(new Ping(i)), handled };
    },
    "of(x).pipe(a, b, c)"() {
      const { asyncHandler, handled } = handlers();
      const [a, b, c] = operators(({ value }) => value);
      const dispatch = (message) =>
        new Promise((resolve, reject) => {
          of(message)
            .pipe(a, b, c)
            .subscribe({ next: (passed) => asyncHandler(passed).then(resolve, reject), error: reject });
        });
      return { send: (i) => dispatch(new Ping(i)), handled };
    },
  },
};
