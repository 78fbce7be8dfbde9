/** mediatr-ts with its default resolver, which makes a handler for each request. */
export async function mediator(handler) {
  const { Mediator, RequestData, requestHandler } = await import("mediatr-ts");
  class PingRequest extends RequestData {
    constructor(value) {
      super();
      this.value = value;
    }
  }
  class PingHandler {
    handle(request) {
      return handler(request);
    }
  }
  requestHandler(PingRequest)(PingHandler);
  const mediator = new Mediator();
  return { send: (value) => mediator.send(new PingRequest(value)) };
}
