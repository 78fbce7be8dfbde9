import { h, setText } from "../dom.js";

/** Makes the button that saves the kept messages as JSON lines. */
export function exportButton(lines: () => string | Promise<string>, run: () => string): HTMLElement {
  const save = async (): Promise<void> => {
    const url = URL.createObjectURL(new Blob([await lines()], { type: "application/x-ndjson" }));
    h("a", { href: url, download: `inspector-${run()}.jsonl` }).click();
    // The download reads the URL after this task.
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  };
  const tell = (text: string) => (): void => setText(button, text);
  const button = h(
    "button#export",
    { click: () => void save().then(tell("Export"), tell("Failed")) },
    "Export",
  );
  return button;
}
