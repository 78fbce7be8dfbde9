const form = document.querySelector("form");
const list = document.querySelector(".books");
const state = document.querySelector("#state");
const problem = document.querySelector(".problem");

// The browser reconnects without our help, and gets the latest state at once.
const books = new EventSource("books/live");
books.onopen = () => (state.textContent = "live");
books.onerror = () => (state.textContent = "connecting …");
books.onmessage = ({ data }) => list.replaceChildren(...JSON.parse(data).map(item));

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const added = await send("POST", "books", Object.fromEntries(new FormData(form)));
  if (added) form.reset();
  form.elements.title.focus();
});

function item({ id, title, author }) {
  const cover = Object.assign(document.createElement("span"), { className: "cover" });
  cover.style.setProperty("--hue", hueOf(title));
  const text = document.createElement("div");
  text.append(
    Object.assign(document.createElement("div"), { className: "title", textContent: title }),
    Object.assign(document.createElement("div"), { className: "quiet", textContent: author }),
  );
  const remove = Object.assign(document.createElement("button"), {
    className: "plain",
    textContent: "Remove",
    onclick: () => send("DELETE", `books/${encodeURIComponent(id)}`),
  });
  remove.setAttribute("aria-label", `Remove ${title}`);
  const book = Object.assign(document.createElement("li"), { className: "book" });
  book.append(cover, text, remove);
  return book;
}

async function send(method, path, body) {
  const response = await fetch(path, {
    method,
    headers: { "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const { message = "", issues = [] } = response.ok ? {} : await response.json();
  problem.textContent = issues.map((issue) => issue.message).join(" ") || message;
  return response.ok;
}

function hueOf(text) {
  return [...text].reduce((hue, char) => (hue * 31 + char.charCodeAt(0)) % 360, 7);
}
