import { filter, firstValueFrom, map, mergeMap, Subject } from "rxjs";

/** The bus that one writes first with RxJS: a stream of requests, of which each handler takes its own, and a stream of replies. */
export class NaiveBus {
  #requests = new Subject();
  #replies = new Subject();
  #ids = 0;

  register(type, handler) {
    this.#requests
      .pipe(
        filter(({ message }) => message instanceof type),
        mergeMap(async ({ id, message }) => ({ id, value: await handler(message) })),
      )
      .subscribe((reply) => this.#replies.next(reply));
  }

  dispatch(message) {
    const id = ++this.#ids;
    const reply = firstValueFrom(
      this.#replies.pipe(
        filter((candidate) => candidate.id === id),
        map(({ value }) => value),
      ),
    );
    this.#requests.next({ id, message });
    return reply;
  }
}
