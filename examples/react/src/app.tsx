import { useState } from "react";
import { refusing } from "./api";
import { commandBus } from "./buses";
import { Search } from "./search";
import { Shelf } from "./shelf";

export function App() {
  const [problem, setProblem] = useState("");
  const send = (command: object): void => {
    commandBus.dispatch(command).then(
      () => setProblem(""),
      (error: Error) => setProblem(error.message),
    );
  };
  return (
    <main className="page">
      <h1>Reading list</h1>
      <p className="lead">
        Type fast, and see older searches being aborted. Add a book, and see it on the list before the server
        has it. Open this page in a second tab, and see its list follow.
      </p>
      <div className="columns">
        <section className="card" aria-labelledby="find">
          <h2 id="find">Find a book</h2>
          <Search send={send} />
        </section>
        <section className="card" aria-labelledby="list">
          <h2 id="list">The list</h2>
          <Shelf send={send} />
          <p className="problem" role="alert">
            {problem}
          </p>
          <label className="switch">
            <input type="checkbox" onChange={({ target }) => (refusing.current = target.checked)} />
            The server refuses changes
          </label>
        </section>
      </div>
    </main>
  );
}
