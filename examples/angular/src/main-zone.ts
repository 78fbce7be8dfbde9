// The same application with zone.js, which angular.json adds in the configuration `zone`.
import { provideZoneChangeDetection } from "@angular/core";
import { bootstrapApplication } from "@angular/platform-browser";
import { App } from "./app";
import { provideBuses } from "./buses";

void bootstrapApplication(App, { providers: [provideZoneChangeDetection(), provideBuses()] });
