import { onePerKeyContenders } from "../contenders/overlap.mjs";

export default {
  title: "overlap concat, one message at a time",
  subject: "cqrx",
  contenders: onePerKeyContenders(1),
};
