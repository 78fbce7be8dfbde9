import type { CSSProperties, ReactNode } from "react";
import type { Book } from "./messages";

interface Props {
  readonly book: Book;
  readonly saving?: boolean;
  readonly children: ReactNode;
}

export function BookItem({ book: { title, author }, saving = false, children }: Props) {
  return (
    <li className={saving ? "book saving" : "book"}>
      <span className="cover" style={{ "--hue": hueOf(title) } as CSSProperties} />
      <div>
        <div className="title">{title}</div>
        <div className="quiet">{saving ? "saving …" : author}</div>
      </div>
      {children}
    </li>
  );
}

function hueOf(text: string): number {
  return [...text].reduce((hue, char) => (hue * 31 + char.charCodeAt(0)) % 360, 7);
}
