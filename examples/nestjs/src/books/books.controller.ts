import { Body, Controller, Delete, Get, HttpCode, Param, Post, Req, Res } from "@nestjs/common";
import { CommandBus, QueryBus } from "cqrx";
import { sendEvents, type NodeRequest, type NodeResponse } from "cqrx/http";
import { AddBook, ListBooks, RemoveBook } from "./books.messages.js";
import type { Book } from "./books.store.js";

@Controller("books")
export class BooksController {
  constructor(
    private readonly commandBus: CommandBus,
    private readonly queryBus: QueryBus,
  ) {}

  @Get()
  list(): Promise<readonly Book[]> {
    return this.queryBus.ask(new ListBooks());
  }

  @Post()
  add(@Body() body: unknown): Promise<void> {
    return this.commandBus.dispatch(AddBook.parse(body));
  }

  @Delete(":id")
  @HttpCode(204)
  remove(@Param("id") id: string): Promise<void> {
    return this.commandBus.dispatch(new RemoveBook({ id }));
  }

  /** The list now and after each change, until the client leaves. */
  @Get("live")
  live(@Req() request: NodeRequest, @Res() response: NodeResponse): void {
    sendEvents(this.queryBus.watch(new ListBooks()), request, response);
  }
}
