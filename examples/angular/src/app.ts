import { ChangeDetectionStrategy, Component, inject, signal } from "@angular/core";
import { toObservable, toSignal } from "@angular/core/rxjs-interop";
import { CommandBus, QueryBus } from "cqrx";
import { debounceTime, distinctUntilChanged, map, of, switchMap } from "rxjs";
import { refusing, searches$ } from "./api";
import { BookItem } from "./book-item";
import { AddBook, GetShelf, RemoveBook, SearchBooks, type Book } from "./messages";

@Component({
  selector: "app-root",
  imports: [BookItem],
  templateUrl: "./app.component.html",
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class App {
  readonly #commandBus = inject(CommandBus);
  readonly #queryBus = inject(QueryBus);

  readonly text = signal("");
  readonly problem = signal("");
  readonly searches = toSignal(searches$, { requireSync: true });

  /** The live list, with its state: pending, value or error. */
  readonly shelf = toSignal(this.#queryBus.watch(new GetShelf()).snapshot$, { requireSync: true });

  /** Type ahead: switchMap leaves the previous search, which aborts the signal of its handler. */
  readonly found = toSignal(
    toObservable(this.text).pipe(
      map((text) => text.trim()),
      debounceTime(100),
      distinctUntilChanged(),
      switchMap((text) => (text === "" ? of([]) : this.#queryBus.ask$(new SearchBooks(text)))),
    ),
    { initialValue: [] },
  );

  add(book: Book): void {
    this.#send(new AddBook(book));
  }

  remove({ id }: Book): void {
    this.#send(new RemoveBook(id));
  }

  refuse(refused: boolean): void {
    refusing.current = refused;
  }

  #send(command: object): void {
    this.#commandBus.dispatch(command).then(
      () => this.problem.set(""),
      (error: Error) => this.problem.set(error.message),
    );
  }
}
