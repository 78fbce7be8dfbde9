import { threeAround } from "../contenders/three-around.mjs";

export default {
  title: "three around that return next(m), async handler",
  subject: "cqrx",
  bars: { "koa-style compose": { atMost: 1.4, aim: 1 } },
  contenders: threeAround(() => (message, next) => next(message)),
};
