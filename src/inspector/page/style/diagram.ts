/** Style of the lanes, the box beside the pointer, and the notice above them. */
export const diagram = `
.diagram{position:relative;flex:1 1 60%;min-height:120px;overflow:hidden}
.lanes{height:100%;overflow:hidden auto;overscroll-behavior:contain;scrollbar-width:thin;scrollbar-color:var(--line) transparent}
.lanes:focus-visible{outline-offset:-2px}
.inner{position:relative;min-height:100%}
.heads{position:absolute;inset:0 auto 0 0;width:226px;background:var(--panel);border-right:1px solid var(--line)}
.marbles{position:sticky;top:0;display:block;margin-left:226px;touch-action:pan-y;cursor:grab}
.marbles:active{cursor:grabbing}
.marbles.over{cursor:pointer}
.group{display:flex;align-items:center;gap:8px;height:24px;padding:0 12px;overflow:hidden;white-space:nowrap;border-bottom:1px solid var(--line);font-size:11px}
.group .title{color:var(--quiet);font-weight:650;letter-spacing:.04em;text-transform:uppercase;font-size:10px}
.gauges{color:var(--kind);overflow:hidden;text-overflow:ellipsis}
.lane{position:relative;display:flex;align-items:center;gap:10px;padding:0 12px;border-bottom:1px solid var(--line);overflow:hidden}
.lane-text{display:flex;flex-direction:column;min-width:0;line-height:1.25}
button.only{height:auto;padding:0;background:none;border:0;border-radius:3px;text-align:left;overflow:hidden;text-overflow:ellipsis}
.only:hover,.only[aria-pressed=true]{text-decoration:underline;text-underline-offset:3px}
.lane-name{font-weight:600;white-space:nowrap}
.lane[data-bus] .lane-text::after{content:attr(data-bus)}
.lane-figures{color:var(--quiet);font-size:11px;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.lane-failures{margin-left:auto;color:var(--rejected);font-size:11.5px;font-weight:650;white-space:nowrap}
.hint{position:absolute;inset:0 0 0 226px;display:grid;place-items:center;padding:20px;color:var(--quiet);text-align:center;pointer-events:none}
.tip{position:absolute;z-index:3;top:0;left:0;max-width:min(380px,90%);padding:8px 11px;background:var(--raised);border:1px solid var(--line);border-radius:9px;box-shadow:0 8px 28px rgb(0 0 0/.28);pointer-events:none;overflow-wrap:anywhere}
.tip strong{color:var(--kind)}
.tip .when{margin-left:9px;color:var(--quiet)}
.tip code{display:block;margin-top:3px;color:var(--quiet)}
.notice{padding:12px 16px;background:color-mix(in srgb,var(--open) 12%,var(--panel));border-bottom:1px solid var(--line)}
.notice h2{font-size:14px}
`;
