import { ChangeDetectionStrategy, Component, computed, input } from "@angular/core";
import type { Book } from "./messages";

@Component({
  selector: "li[appBook]",
  host: { class: "book", "[class.saving]": "saving()" },
  template: `
    <span class="cover" [style.--hue]="hue()"></span>
    <div>
      <div class="title">{{ book().title }}</div>
      <div class="quiet">{{ saving() ? "saving …" : book().author }}</div>
    </div>
    <ng-content />
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class BookItem {
  readonly book = input.required<Book>({ alias: "appBook" });
  readonly saving = input(false);
  readonly hue = computed(() =>
    [...this.book().title].reduce((hue, char) => (hue * 31 + char.charCodeAt(0)) % 360, 7),
  );
}
