/** Style of narrow views: a panel beside an application, and a phone. */
export const sizes = `
[data-size=narrow] .brand h1,[data-size=narrow] .toggle .word{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
[data-size=narrow] .toggle{padding:0 7px}
[data-size=narrow] .toggle .glyph{margin:0}
[data-size=narrow] .details{position:absolute;z-index:2;top:0;right:0;bottom:0;width:388px;box-shadow:-12px 0 40px rgb(0 0 0/.25)}
[data-size=narrow] .body{position:relative}
[data-size=narrow] .figures,[data-size=narrow] .figures dl{gap:18px}
[data-size=compact] .toolbar{flex-wrap:wrap;gap:8px;padding:8px 10px}
[data-size=compact] .brand h1,[data-size=compact] .outcome .word{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
[data-size=compact] .outcome{position:relative}
[data-size=compact] .glyph{margin:0}
[data-size=compact] .details .outcome .word,[data-size=compact] .tip .outcome .word{position:static;width:auto;height:auto;clip-path:none;margin-left:4px}
[data-size=compact] .state{flex:1}
[data-size=compact] .search{order:3;flex:1}
[data-size=compact] .toggles{order:4}
[data-size=compact] .toggle{padding:0 6px}
[data-size=compact] .span{padding:0 4px}
[data-size=compact] .pause{min-width:0;padding:0 9px}
[data-size=compact] .buttons [data-testid=export]{padding:0 9px}
[data-size=compact] .figures{flex-wrap:wrap;gap:6px;padding:7px 12px}
[data-size=compact] .figures dl{flex:1 0 100%;justify-content:space-between;gap:8px}
[data-size=compact] .figures b{font-size:17px}
[data-size=compact] .figures dt{font-size:11px}
[data-size=compact] .figures .unit{max-width:58px}
[data-size=compact] .figures dl div:nth-child(4) .unit{display:none}
[data-size=compact] .minute{flex:1 0 100%;max-width:none}
[data-size=compact] .heads{z-index:1;width:100%;background:none;border:0;pointer-events:none}
[data-size=compact] .heads button{pointer-events:auto}
[data-size=compact] .marbles{margin-left:0}
[data-size=compact] .lane{align-items:flex-start;gap:7px;padding:3px 10px 0;border-color:transparent}
[data-size=compact] .lane .badge{width:14px;height:14px;font-size:8.5px}
[data-size=compact] .lane-text{flex-direction:row;align-items:baseline;gap:9px}
[data-size=compact] .lane-name{font-size:12px}
[data-size=compact] .hint{inset:0}
[data-size=compact] .details{position:absolute;z-index:2;right:0;bottom:0;left:0;max-height:58%;border-left:0;border-top:1px solid var(--line);border-radius:16px 16px 0 0;box-shadow:0 -12px 40px rgb(0 0 0/.3)}
[data-size=compact] [role=tab]{padding:0 8px}
[data-size=compact] th:first-child,[data-size=compact] td:first-child{padding-left:12px;width:auto}
[data-size=compact] th.outcome{width:34px;font-size:0}
[data-size=compact] th.payload,[data-size=compact] td.payload,[data-size=compact] th.attempt,[data-size=compact] td.attempt{display:none}
[data-size=compact] th.took,[data-size=compact] th.age{width:74px}
[data-size=compact] th.time,[data-size=compact] th.accepted{width:104px}
[data-size=compact] [role=tablist]{padding:0 2px}
`;
