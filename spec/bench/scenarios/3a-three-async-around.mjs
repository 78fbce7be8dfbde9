import { threeAround } from "../contenders/three-around.mjs";

export default {
  title: "three async around, async handler",
  subject: "cqrx",
  bars: { "koa-style compose": { atMost: 1.4, aim: 1 } },
  contenders: threeAround(() => async (message, next) => await next(message)),
};
