import { Injectable } from "@nestjs/common";
import { EventBus } from "cqrx";
import { BookAdded } from "../books.messages.js";

/** Any number of handlers may follow an event; this one would write to the book club. */
@Injectable()
export class AnnounceBookHandler {
  constructor(eventBus: EventBus) {
    eventBus.register(BookAdded, this);
  }

  handle({ book }: BookAdded): void {
    console.log(`To the book club: “${book.title}” by ${book.author} is on the list.`);
  }
}
