import { looked } from "./17a-inspector.mjs";

export default {
  title: "cqrx/inspector closed",
  subject: "closed",
  bars: { "never attached": { atMost: 1.01 } },
  counted: { bars: { "never attached": 1.01 } },
  contenders: {
    closed: () => looked((bus, inspect) => inspect(bus).close()),
    "never attached": () => looked(() => undefined),
  },
};
