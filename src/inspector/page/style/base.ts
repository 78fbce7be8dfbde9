/** Style of the frame of the view, and of what all parts share. */
export const base = `
:host { display: block; height: 100%; }
* { box-sizing: border-box; scrollbar-width: thin; scrollbar-color: var(--line) transparent; }
[hidden] { display: none !important; }
.app {
  position: relative; display: flex; flex-direction: column; height: 100%; overflow: hidden;
  overflow-wrap: anywhere; background: var(--page); color: var(--text);
  font: 13px/1.45 system-ui, sans-serif; font-variant-numeric: tabular-nums;
}
.body { position: relative; display: flex; flex: 1; min-height: 0; }
.left { display: flex; flex: 1; flex-direction: column; min-width: 0; }
h1, h2, h3, p, dl, dd, ul, ol, pre { margin: 0; padding: 0; list-style: none; }
h1, h2 { font-size: 15px; }
h3 { font-size: 12px; }
button, input, select {
  height: 30px; padding: 0 11px; background: var(--raised); border: 1px solid var(--line);
  border-radius: 8px; color: inherit; font: inherit; white-space: nowrap;
}
button, select, tbody tr, summary { cursor: pointer; }
button:hover, select:hover { border-color: var(--quiet); }
.icon { width: 30px; padding: 0; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; }
pre, code, kbd, .envelope dd { font-family: ui-monospace, monospace; font-size: 12px; }
pre { white-space: pre-wrap; }
kbd {
  padding: 1px 6px; background: var(--panel); border: 1px solid var(--line); border-radius: 5px;
}
h3, dt, small, th, pre, code, .seen, .unit, .search kbd, .title, .lane-figures, .hint, .when, .time,
.empty, .facts, .kind, .rows dd {
  color: var(--quiet); font-weight: 400;
}
dt, th, small, .unit, .gauges, .lane-figures, .lane-failures, .count, .tag { font-size: 11px; }
td, .state, .unit, .gauges, .lane-figures, .only, .row-button, .tree-name span {
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
}
.k-command { --kind: var(--command); }
.k-query { --kind: var(--query); }
.k-event { --kind: var(--event); }
.s-fulfilled { color: var(--fulfilled); }
.s-rejected { color: var(--rejected); }
.s-cancelled { color: var(--quiet); }
.s-open { color: var(--open); }
.glyph { display: inline-block; width: 1.3em; text-align: center; }
.word { margin-left: 3px; }
.badge {
  flex: none; display: inline-grid; place-items: center; width: 19px; height: 19px;
  border-radius: 50%; background: var(--kind); color: var(--page); font-size: 11px;
  font-weight: 700;
}
.empty { padding: 18px 16px; }
`;
