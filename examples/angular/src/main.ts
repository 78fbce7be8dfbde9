// Without zone.js: signals tell Angular what has changed, and so does toSignal(queryBus.watch(...).snapshot$).
import { provideZonelessChangeDetection } from "@angular/core";
import { bootstrapApplication } from "@angular/platform-browser";
import { App } from "./app";
import { provideBuses } from "./buses";

void bootstrapApplication(App, { providers: [provideZonelessChangeDetection(), provideBuses()] });
