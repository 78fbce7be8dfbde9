import { Module } from "@nestjs/common";
import { BooksController } from "./books.controller.js";
import { BooksHandlers } from "./books.handlers.js";
import { BooksStore } from "./books.store.js";
import { ListBooksHandler } from "./list-books.handler.js";

@Module({
  controllers: [BooksController],
  providers: [BooksStore, BooksHandlers, ListBooksHandler],
})
export class BooksModule {}
