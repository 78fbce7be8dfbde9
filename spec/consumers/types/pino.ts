// Compiled, not run: beside the types of Node, which those of pino need.
import { CommandBus } from "cqrx";
import { logging, logTo } from "cqrx/pino";
import { pino } from "pino";

const logger = pino({ customLevels: { audit: 35 } });
const commandBus = new CommandBus({ middleware: [logging(logger)] });
logTo(commandBus, logger, { levels: { fulfilled: "audit" }, redact: ["userId"] }).unsubscribe();
// @ts-expect-error the logger has no such level
logTo(commandBus, logger, { levels: { fulfilled: "loud" } });
