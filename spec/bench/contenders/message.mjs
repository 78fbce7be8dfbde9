/** The message for contenders that require no base class. */
export class Ping {
  constructor(value) {
    this.value = value;
  }
}

/** Counts how often a handler has run. The same handlers for all contenders, whichever form these want them in. */
export function handlers() {
  let runs = 0;
  return {
    handled: () => runs,
    async asyncHandler(_message) {
      runs++;
    },
    syncHandler(_message) {
      runs++;
    },
  };
}

/** A query by id. */
export class Get {
  constructor(id) {
    this.id = id;
  }
}
