// A dependency that brings a copy of its own along.
import { timeLimit } from "cqrx/middleware";

export { CommandBus, Envelope, TwoCopiesError } from "cqrx";

export const limit = () => timeLimit(1_000);
