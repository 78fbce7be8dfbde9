export { installed, NatsServer } from "../../examples/support/nats-server.js";
