export class Deposited {
  static messageName = "bank.deposited";
  constructor(account, amount, note) {
    this.account = account;
    this.amount = amount;
    this.note = note;
  }
}

export class SendReceipt {
  static messageName = "bank.send-receipt";
  constructor(index) {
    this.index = index;
  }
}

export const deposited = (index) =>
  new Deposited(`account-${index % 100}`, index, "a deposit at the counter");

/** Runs work with numbers from 0 on, ten at a time, and returns how many a second. */
export async function tenAtATime(count, work) {
  let next = 0;
  const started = performance.now();
  const runner = async (lane) => {
    while (next < count) await work(next++, lane);
  };
  await Promise.all(Array.from({ length: 10 }, (_, lane) => runner(lane)));
  return (count / (performance.now() - started)) * 1_000;
}
