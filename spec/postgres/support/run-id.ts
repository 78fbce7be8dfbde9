// Jest's globalSetup. Names the run, so that all workers share one server; a worker starts it when the first suite asks.
export default function nameTheRun(): void {
  process.env["CQRX_RUN"] ??= `${process.pid}-${Math.random().toString(36).slice(2)}`;
}
