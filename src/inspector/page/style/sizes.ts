/** Style of narrow views: a panel beside an application, and a phone. */
export const sizes = `
.app:not([data-size=wide]) :is(h1,.toggle .word),[data-size=compact] td .word{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.app:not([data-size=wide]) .toggle{padding:0 6px}
.app:not([data-size=wide]) .details{position:absolute;z-index:2;inset:0 0 0 auto;width:388px;box-shadow:0 0 50px rgb(0 0 0/.4)}
.app:not([data-size=wide]) .figures dl{gap:16px}
[data-size=compact] :is(.toolbar,.figures){flex-wrap:wrap;gap:7px;padding:8px 10px}
[data-size=compact] .search{order:2;flex:1;min-width:0}
[data-size=compact] .span{order:3;padding:0 2px}
[data-size=compact] .toggles{order:4;gap:4px}
[data-size=compact] :is(.seen,.search kbd){display:none}
[data-size=compact] .figures dl{flex:1 0 100%;justify-content:space-between;gap:8px}
[data-size=compact] .figures b{font-size:17px}
[data-size=compact] dl div:nth-child(4) .unit,[data-size=compact] .payload,[data-size=compact][data-selected] .figures{display:none}
[data-size=compact] .minute{flex:1 0 100%;max-width:none}
[data-size=compact] .heads{width:100%;background:none;border:0;pointer-events:none}
[data-size=compact] .only{pointer-events:auto;font-size:12px}
[data-size=compact] .marbles{margin:0}
[data-size=compact] .lane{align-items:start;gap:7px;padding:2px 10px 0;border-color:transparent}
[data-size=compact] .lane .badge{width:15px;height:15px;font-size:9px}
[data-size=compact] .lane-text{display:flex;gap:9px}
[data-size=compact] .hint{inset:40% 0 auto}
[data-size=compact] .details{inset:50% 0 0;width:auto;border-radius:16px 16px 0 0}
[data-size=compact] [role=tab]{padding:0 5px;font-size:12px}
[data-size=compact] .count{margin-left:4px;padding:1px 5px}
[data-size=compact] :is(th,td):first-child{width:auto;padding-left:12px}
[data-size=compact] :is(th,td):nth-child(3){width:76px}
[data-size=compact] th:nth-child(2){width:30px;font-size:0}
[data-size=compact] th:last-child{width:104px}
`;
