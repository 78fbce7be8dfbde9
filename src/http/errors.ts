import { CqrsError } from "../core/errors.js";

/** The client read more slowly than events came, until `maxUnsentBytes` waited for it: `eventStream`, `sendEvents`. */
export class SlowClientError extends CqrsError {
  static override readonly code = "SLOW_CLIENT";

  constructor(unsentBytes: number, maxUnsentBytes: number) {
    super(
      `The client was disconnected with ${unsentBytes} bytes unread, because maxUnsentBytes is ${maxUnsentBytes}; ` +
        "let it connect again, send less, or raise maxUnsentBytes.",
    );
  }
}
