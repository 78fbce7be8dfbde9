import { h, setText } from "../dom.js";

/** Makes the button that saves the kept messages as JSON lines. */
export function exportButton(lines: () => string | Promise<string>, run: () => string): HTMLElement {
  const save = async (): Promise<void> => {
    const url = URL.createObjectURL(new Blob([await lines()], { type: "application/x-ndjson" }));
    h("a", { href: url, download: `inspector-${run()}.jsonl` }).click();
    // The download reads the URL after this task.
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  };
  const button = h("button", { type: "button", "data-testid": "export" }, "Export");
  button.addEventListener("click", () => {
    button.disabled = true;
    void save()
      .then(
        () => "Export",
        () => "Export failed",
      )
      .then((text) => {
        setText(button, text);
        button.disabled = false;
      });
  });
  return button;
}
