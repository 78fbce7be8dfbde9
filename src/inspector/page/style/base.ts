/** Style of the frame of the view, and of what all parts share. */
export const base = `
:host{display:block;height:100%}
*{box-sizing:border-box}
[hidden]{display:none!important}
.app{--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;position:relative;display:flex;flex-direction:column;height:100%;overflow:hidden;background:var(--page);color:var(--text);font:13px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;font-variant-numeric:tabular-nums}
.body{display:flex;flex:1;min-height:0}
.left{display:flex;flex:1;flex-direction:column;min-width:0;min-height:0}
h1,h2,h3,h4,p,dl,dd,ul,ol,pre{margin:0;padding:0}
ul,ol{list-style:none}
button,input,select{font:inherit;color:inherit}
button,select{height:30px;padding:0 11px;background:var(--raised);border:1px solid var(--line);border-radius:8px;cursor:pointer;white-space:nowrap;transition:background .12s,border-color .12s}
button:hover,select:hover{border-color:var(--quiet)}
button:disabled{opacity:.6;cursor:default}
button.icon{width:30px;padding:0}
:focus{outline:none}
:focus-visible{outline:2px solid var(--accent);outline-offset:1px}
pre,code,kbd{font-family:var(--mono);font-size:12px}
pre{white-space:pre-wrap;overflow-wrap:anywhere}
kbd{padding:1px 6px;background:var(--raised);border:1px solid var(--line);border-radius:5px;font-size:11px}
.k-command{--kind:var(--command)}
.k-query{--kind:var(--query)}
.k-event{--kind:var(--event)}
.s-fulfilled{color:var(--fulfilled)}
.s-rejected{color:var(--rejected)}
.s-cancelled{color:var(--cancelled)}
.s-open{color:var(--open)}
.outcome{white-space:nowrap}
.glyph{display:inline-block;width:1.25em;text-align:center;margin-right:.3em}
.badge{flex:none;display:inline-grid;place-items:center;width:19px;height:19px;border-radius:50%;background:var(--kind);color:var(--page);font-size:10.5px;font-weight:700}
.empty{padding:18px 16px;color:var(--quiet)}
@media (prefers-reduced-motion:reduce){*{transition:none!important}}
`;
