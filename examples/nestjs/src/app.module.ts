import { Module } from "@nestjs/common";
import { APP_FILTER } from "@nestjs/core";
import { BooksModule } from "./books/books.module.js";
import { BusesModule } from "./buses.module.js";
import { ErrorFilter } from "./error.filter.js";

@Module({
  imports: [BusesModule, BooksModule],
  providers: [{ provide: APP_FILTER, useClass: ErrorFilter }],
})
export class AppModule {}
