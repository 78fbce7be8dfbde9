import { Module } from "@nestjs/common";
import { BooksController } from "./books.controller.js";
import { BooksStore } from "./books.store.js";
import { AddBookHandler } from "./handlers/add-book.handler.js";
import { AnnounceBookHandler } from "./handlers/announce-book.handler.js";
import { ListBooksHandler } from "./handlers/list-books.handler.js";
import { RemoveBookHandler } from "./handlers/remove-book.handler.js";

@Module({
  controllers: [BooksController],
  providers: [BooksStore, AddBookHandler, RemoveBookHandler, ListBooksHandler, AnnounceBookHandler],
})
export class BooksModule {}
