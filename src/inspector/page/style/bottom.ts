/** Style of the tabs and the tables in them. */
export const bottom = `
.tabs {
  display: flex; flex: 38 1 0; flex-direction: column; min-height: 150px; background: var(--panel);
  border-top: 1px solid var(--line);
}
[role=tablist] {
  display: flex; padding: 0 8px; border-bottom: 1px solid var(--line); overflow-x: auto;
  scrollbar-width: none;
}
[role=tab] { flex: none; height: 38px; background: none; border: 0; color: var(--quiet); }
[aria-selected=true] {
  color: var(--text); font-weight: 600; border-radius: 0; box-shadow: inset 0 -2px var(--accent);
}
.count {
  margin-left: 7px; padding: 1px 7px; border-radius: 9px; background: var(--raised);
  color: var(--text);
}
.bad { background: var(--rejected); color: var(--page); }
[role=tabpanel] { flex: 1; min-height: 0; }
.holds { position: relative; height: 100%; }
.scroll { height: 100%; overflow: auto; }
.newer {
  position: absolute; z-index: 2; top: 34px; left: 45%; height: 26px; background: var(--accent);
  color: var(--page); font-weight: 600;
}
.more { margin: 10px 16px; }
table { width: 100%; border-collapse: collapse; table-layout: fixed; }
th {
  position: sticky; top: 0; z-index: 1; height: 30px; background: var(--panel);
  box-shadow: inset 0 -1px var(--line); text-align: left;
}
th, td { padding: 0 8px; }
td { height: 27px; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { width: 22%; padding-left: 16px; }
th:nth-child(2) { width: 110px; }
th:nth-child(3), td:nth-child(3) { width: 86px; text-align: right; }
th:last-child { width: 122px; }
.payload { padding-left: 18px; }
tbody tr:hover, summary:hover, .tree button:hover { background: var(--raised); }
.app .selected, [aria-current=true] {
  background: color-mix(in srgb, var(--accent) 12%, var(--panel)) !important;
}
.row-button { color: var(--kind); vertical-align: middle; }
.troubles li { border-bottom: 1px solid var(--line); }
summary {
  display: grid; grid-template-columns: auto 1fr auto; gap: 2px 10px; padding: 8px 16px;
  list-style: none;
}
.why { grid-column: 2/-1; }
.tag { padding: 0 8px; border: 1px solid; border-radius: 9px; }
details p, details pre { padding: 2px 16px 12px 32px; }
.wiring {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(310px, 100%), 1fr)); gap: 12px;
  align-content: start; padding: 14px;
}
.card {
  padding: 13px 15px; background: var(--page); border: 1px solid var(--line); border-radius: 10px;
}
.card h2, .kind, .facts { display: flex; align-items: center; gap: 8px; }
.card h3 { margin-top: 12px; }
.chain { display: flex; flex-wrap: wrap; gap: 5px 18px; margin-top: 11px; }
.chain li { position: relative; padding: 3px 9px; background: var(--raised); border-radius: 8px; }
.chain li + li::before { content: "→"; position: absolute; left: -15px; }
.rows dl, .envelope { display: grid; grid-template-columns: auto 1fr; gap: 2px 14px; }
.rows dt { color: var(--kind); font-size: 13px; }
`;
