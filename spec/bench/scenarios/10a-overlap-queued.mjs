import { onePerKeyContenders } from "../contenders/overlap.mjs";

export default {
  title: "overlap concat, 1,000 in flight on 100 keys",
  subject: "cqrx",
  bars: { "promise chain per key": { atMost: 1.5 } },
  contenders: onePerKeyContenders(1000),
};
