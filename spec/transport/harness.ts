import { afterEach, beforeEach } from "@jest/globals";
import { CommandBus } from "cqrx";
import { Link, type LinkOptions } from "cqrx/transport";
import { CancelOrder, QUICK, until, type World } from "./support.js";

class Canary extends CancelOrder {}

export interface Harness {
  /** A process on the network. */
  join(options?: LinkOptions): Promise<Link>;
  /** A process whose connection can be cut and healed. */
  joinFragile(options?: LinkOptions): Promise<{ link: Link; cut(): Promise<void>; heal(): Promise<void> }>;
  /** A process that routes and one that serves. */
  pair(): Promise<{ near: Link; far: Link }>;
  /** Ends once a command of its own goes from one process to the other. */
  canary(near: Link, far: Link): Promise<void>;
  crash(): Promise<void>;
  restart(): Promise<void>;
  refuseDeadLetters(refused: boolean): Promise<void>;
}

/** Gives each test a network of its own, and closes what it has left. */
export function useWorld(makeWorld: () => Promise<World>): Harness {
  let world: World;
  const links: Link[] = [];
  const kept = (link: Link): Link => {
    links.push(link);
    return link;
  };
  beforeEach(async () => void (world = await makeWorld()));
  afterEach(async () => {
    await Promise.allSettled(links.splice(0).map((link) => link.close({ timeoutMs: 100 })));
    await world.close();
  });
  const join = async (options: LinkOptions = QUICK): Promise<Link> =>
    kept(new Link(await world.connect(), options));

  return {
    join,
    async joinFragile(options = QUICK) {
      const { transport, cut, heal } = await world.connectFragile();
      return { link: kept(new Link(transport, options)), cut, heal };
    },
    pair: async () => ({ near: await join(), far: await join() }),
    async canary(near, far) {
      const [here, there] = [new CommandBus(), new CommandBus()];
      there.register(Canary, () => undefined);
      await far.serve(there, [Canary], { accept: ["calls"] });
      near.route(here, [Canary]);
      await until(async () =>
        here.dispatch(new Canary("c")).then(
          () => true,
          () => false,
        ),
      );
    },
    crash: () => world.crash(),
    restart: () => world.restart(),
    refuseDeadLetters: (refused) => world.refuseDeadLetters(refused),
  };
}
