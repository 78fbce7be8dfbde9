/** Style of the bar at the top and of the figures below it. */
export const toolbar = `
.toolbar{display:flex;align-items:center;gap:10px;padding:9px 14px;background:var(--panel);border-bottom:1px solid var(--line)}
.brand{display:flex;align-items:center;gap:9px}
.brand h1{font-size:15px;font-weight:650;letter-spacing:-.01em;white-space:nowrap}
.logo{display:flex}
.logo i{width:10px;height:10px;border-radius:50%;background:var(--command)}
.logo i+i{margin-left:-2px;background:var(--query)}
.logo i+i+i{background:var(--event)}
.state{display:flex;align-items:center;gap:7px;margin-right:auto;min-width:0;white-space:nowrap;overflow:hidden}
.seen{color:var(--quiet);overflow:hidden;text-overflow:ellipsis}
.dot{flex:none;width:8px;height:8px;border-radius:50%;background:var(--quiet)}
.dot[data-state=live]{background:var(--fulfilled);box-shadow:0 0 0 3px color-mix(in srgb,var(--fulfilled) 22%,transparent)}
.dot[data-state=paused],.dot[data-state=connecting],.dot[data-state=lost]{background:var(--open)}
.dot[data-state=unauthorized],.dot[data-state=unavailable]{background:var(--rejected)}
.dot[data-state=recording]{background:var(--event)}
.search{position:relative;flex:0 1 250px;min-width:130px}
.search input{width:100%;height:30px;padding:0 30px 0 11px;background:var(--page);border:1px solid var(--line);border-radius:8px}
.search input::placeholder{color:var(--quiet);opacity:1}
.search kbd{position:absolute;top:6px;right:7px;color:var(--quiet);pointer-events:none}
.search input:focus+kbd{display:none}
.toggles{display:flex;gap:5px}
.toggle{padding:0 10px 0 7px}
.toggle[aria-pressed=true]{background:var(--raised);border-color:color-mix(in srgb,currentColor 42%,var(--line))}
.toggle[aria-pressed=false]{background:none;color:var(--quiet)}
.toggle[aria-pressed=false] .outcome{color:inherit;text-decoration:line-through}
.buttons{display:flex;gap:5px}
.pause{min-width:68px}
.pause.on{background:var(--accent);border-color:var(--accent);color:var(--page);font-weight:600}
.figures{display:flex;align-items:center;gap:26px;padding:8px 14px;background:var(--panel);border-bottom:1px solid var(--line)}
.figures dl{display:flex;gap:26px}
.figures dt{color:var(--quiet);font-size:11.5px}
.figures dd{display:flex;align-items:baseline;gap:5px;white-space:nowrap}
.figures b{font-size:20px;line-height:1.25;font-weight:650;letter-spacing:-.015em}
.figures .unit{max-width:130px;overflow:hidden;text-overflow:ellipsis;color:var(--quiet);font-size:11.5px}
.figures .failing b{color:var(--rejected)}
.minute{flex:1;min-width:60px;max-width:620px;height:46px;margin-left:auto;cursor:crosshair}
.minute canvas{display:block}
`;
