/** Style of narrow views: a panel beside an application, and a phone. */
export const sizes = `
:where(.app:not([data-size=wide])) {
  h1, .toggle .word, td .word {
    position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
  }
  .toggle { padding: 0 6px; }
  .details {
    position: absolute; z-index: 2; inset: 0 0 0 auto; width: 388px;
    box-shadow: 0 0 50px rgb(0 0 0 / .4);
  }
  .figures dl { gap: 16px; }
}
[data-size=compact] {
  .seen, .search kbd, dl div:nth-child(4) .unit, .payload, &[data-selected] .figures {
    display: none;
  }
  :is(.toolbar, .figures) { flex-wrap: wrap; gap: 7px; padding: 8px 10px; }
  .search { order: 2; flex: 1 0 130px; }
  .span { order: 3; padding: 0 2px; }
  .toggles { order: 4; gap: 4px; }
  .figures dl { flex: 1 0 100%; justify-content: space-between; gap: 8px; }
  .figures b { font-size: 17px; }
  .minute { flex: 1 0 100%; max-width: none; }
  .heads { width: 100%; background: none; border: 0; pointer-events: none; }
  .only { pointer-events: auto; font-size: 12px; }
  .marbles { margin: 0; }
  .lane { align-items: start; gap: 7px; padding: 2px 10px 0; border-color: transparent; }
  .lane .badge { width: 15px; height: 15px; font-size: 9px; }
  .lane-failures { top: 2px; }
  .lane-text { display: flex; gap: 9px; }
  .hint { inset: 40% 0 auto; }
  .details { inset: 50% 0 0; width: auto; border-radius: 16px 16px 0 0; }
  [role=tab] { padding: 0 5px; font-size: 12px; }
  .count { margin-left: 4px; padding: 1px 5px; }
  :is(th, td):first-child { width: auto; padding-left: 12px; }
  :is(th, td):nth-child(3) { width: 76px; }
  th:nth-child(2) { width: 36px; font-size: 0; }
  th:last-child { width: 104px; }
}
`;
