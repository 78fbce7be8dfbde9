/** Style of the panel of the selected message, and of the help. */
export const details = `
.details{position:relative;flex:0 0 388px;padding:16px 18px 24px;background:var(--panel);border-left:1px solid var(--line);overflow:hidden auto;scrollbar-width:thin;scrollbar-color:var(--line) transparent}
.close{position:absolute;top:12px;right:12px}
.details .kind{display:flex;align-items:center;gap:8px;color:var(--quiet)}
.details h2{margin:5px 34px 0 0;font-size:18px;letter-spacing:-.01em;overflow-wrap:anywhere}
.details .facts{display:flex;gap:9px;margin-top:3px}
.details h3{margin:20px 0 7px;color:var(--quiet);font-size:12px;font-weight:600}
.row{display:flex;flex-wrap:wrap;gap:6px;margin-top:13px}
.row button{height:28px;padding:0 10px;font-size:12.5px}
.tree button{display:grid;grid-template-columns:minmax(0,46%) 1fr;gap:10px;align-items:center;width:100%;height:25px;padding:0 6px;background:none;border:0;border-radius:6px;text-align:left}
.tree button:hover{background:var(--raised)}
.tree [aria-current=true]{background:color-mix(in srgb,var(--accent) 16%,var(--panel));font-weight:650}
.tree-name{display:flex;align-items:center;gap:7px;min-width:0}
.tree-name span{overflow:hidden;text-overflow:ellipsis;color:var(--text)}
.bead{flex:none;width:9px;height:9px;border-radius:50%;background:var(--kind)}
.tree .s-rejected .bead{background:var(--rejected)}
.tree .s-rejected .tree-name span{color:var(--rejected)}
.tree .s-cancelled .bead,.tree .s-open .bead{background:none;border:2px solid var(--cancelled)}
.tree .s-open .bead{border-color:var(--open)}
.track{position:relative;height:9px;background:var(--raised);border-radius:4px;overflow:hidden}
.bar{position:absolute;top:0;bottom:0;min-width:3px;border-radius:3px;background:var(--kind)}
.bar.s-rejected{background:var(--rejected)}
.bar.s-cancelled{background:var(--cancelled)}
.bar.s-open{background:repeating-linear-gradient(90deg,var(--open) 0 5px,transparent 5px 8px)}
.json,.error pre{padding:10px 12px;background:var(--page);border:1px solid var(--line);border-radius:9px;line-height:1.55}
.j-key{color:var(--command)}
.j-string{color:var(--query)}
.j-number,.j-word{color:var(--event)}
.error{margin-top:16px;padding:12px 13px;background:color-mix(in srgb,var(--rejected) 9%,var(--panel));border:1px solid color-mix(in srgb,var(--rejected) 35%,var(--line));border-radius:11px;overflow-wrap:anywhere}
.details .error h3{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 10px;margin:0 0 3px;color:var(--rejected);font-size:13px}
.error h3 code{color:var(--quiet);font-weight:400;font-size:11px}
.error pre{margin-top:9px;color:var(--quiet);font-size:11.5px}
.envelope{display:grid;grid-template-columns:auto minmax(0,1fr);gap:3px 14px}
.envelope dt{color:var(--quiet)}
.envelope dd{font-family:var(--mono);font-size:12px;overflow-wrap:anywhere}
.help{position:absolute;z-index:4;top:58px;right:14px;width:min(370px,calc(100% - 28px));max-height:calc(100% - 76px);padding:16px 20px 20px;background:var(--raised);border:1px solid var(--line);border-radius:13px;box-shadow:0 16px 50px rgb(0 0 0/.35);overflow:auto}
.help h2{margin:4px 0 9px;font-size:13px}
.help dl{display:grid;grid-template-columns:70px 1fr;gap:6px 12px;margin-bottom:14px}
.help dt{display:flex;gap:4px;white-space:nowrap}
.help kbd{background:var(--panel)}
.help p{color:var(--quiet);font-size:12px}
`;
