/** Style of the tabs and the tables in them. */
export const bottom = `
.tabs{display:flex;flex:1 1 40%;flex-direction:column;min-height:150px;background:var(--panel);border-top:1px solid var(--line)}
[role=tablist]{display:flex;flex:none;gap:2px;padding:0 8px;border-bottom:1px solid var(--line);overflow-x:auto;scrollbar-width:none}
[role=tab]{display:flex;align-items:center;gap:7px;height:38px;background:none;border:0;border-radius:0;color:var(--quiet)}
[role=tab]:hover{color:var(--text)}
[role=tab][aria-selected=true]{color:var(--text);font-weight:600;box-shadow:inset 0 -2px var(--accent)}
[role=tab]:focus-visible{outline-offset:-3px}
.count{padding:0 7px;border-radius:9px;background:var(--raised);color:var(--text);font-size:11px;font-weight:600;line-height:18px}
.count.bad{background:var(--badge);color:var(--onBadge)}
[role=tabpanel]{flex:1;min-height:0}
[role=tabpanel]:focus-visible{outline-offset:-2px}
.holds{position:relative;height:100%}
.scroll{height:100%;overflow:auto;scrollbar-width:thin;scrollbar-color:var(--line) transparent}
button.newer{position:absolute;z-index:2;top:34px;left:50%;height:26px;transform:translateX(-50%);background:var(--accent);border-color:var(--accent);border-radius:13px;color:var(--page);font-weight:650;font-size:12px;box-shadow:0 4px 14px rgb(0 0 0/.25)}
.more{margin:10px 16px}
table{width:100%;border-collapse:collapse;table-layout:fixed}
th{position:sticky;top:0;z-index:1;height:30px;padding:0 8px;background:var(--panel);box-shadow:inset 0 -1px var(--line);color:var(--quiet);font-size:11.5px;font-weight:500;text-align:left}
td{height:27px;padding:0 8px;border-bottom:1px solid color-mix(in srgb,var(--line) 60%,transparent);white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
th:first-child,td:first-child{padding-left:16px;width:22%}
th.outcome{width:110px}
th.took,th.age,td.took{text-align:right}
th.took,th.age{width:86px}
th.attempt{width:76px}
td.attempt{color:var(--quiet)}
th.time,th.accepted{width:122px}
td.time{color:var(--quiet);font-size:12px}
td.payload{padding-left:18px}
th.payload{padding-left:18px}
td code{color:var(--quiet)}
tbody tr{cursor:pointer}
tbody tr:hover{background:color-mix(in srgb,var(--raised) 60%,transparent)}
tbody tr.selected{background:color-mix(in srgb,var(--accent) 16%,var(--panel));box-shadow:inset 3px 0 var(--accent)}
.row-button{height:auto;max-width:100%;padding:0;background:none;border:0;border-radius:3px;color:var(--kind);font-weight:600;overflow:hidden;text-overflow:ellipsis;vertical-align:middle}
.troubles li{border-bottom:1px solid var(--line)}
.troubles summary{display:grid;grid-template-columns:auto 1fr auto;gap:2px 10px;align-items:center;padding:8px 16px;cursor:pointer;list-style:none}
.troubles summary:hover{background:var(--raised)}
.troubles .why{grid-column:2/-1;overflow-wrap:anywhere}
.troubles .where{font-weight:600;overflow-wrap:anywhere}
.troubles .time{color:var(--quiet);font-size:12px}
.tag{padding:0 8px;border:1px solid currentColor;border-radius:9px;font-size:11px;line-height:17px}
.tag.fault{color:var(--rejected)}
.tag.refused{color:var(--open)}
.troubles details p,.troubles details pre{padding:2px 16px 12px 32px}
.troubles details pre{color:var(--quiet)}
.wiring{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(310px,100%),1fr));gap:12px;align-content:start;padding:14px}
.card{padding:13px 15px;background:var(--page);border:1px solid var(--line);border-radius:11px;overflow-wrap:anywhere}
.card h3{display:flex;align-items:center;gap:8px;font-size:14px}
.card h3 small{color:var(--quiet);font-weight:400}
.card h4{margin:12px 0 4px;color:var(--quiet);font-size:11px;font-weight:600}
.card .facts{margin-top:3px;color:var(--quiet)}
.card .json{margin-top:8px;padding:0;background:none;border:0}
.chain{display:flex;flex-wrap:wrap;gap:5px 18px;margin-top:11px}
.chain li{position:relative;padding:3px 9px;background:var(--raised);border-radius:7px}
.chain li+li::before{content:"→";position:absolute;left:-15px;color:var(--quiet)}
.chain li.inner{background:none;box-shadow:inset 0 0 0 1px var(--line)}
.chain li.inner::before{content:""}
.chain small{display:block;color:var(--kind);font-size:11px}
.rows dl{display:grid;grid-template-columns:minmax(0,auto) minmax(0,1fr);gap:2px 14px}
.rows dt{color:var(--kind);font-weight:600}
.rows dd{color:var(--quiet)}
`;
