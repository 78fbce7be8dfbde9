/** Style of the bar at the top and of the figures below it. */
export const toolbar = `
.toolbar, .figures {
  display: flex; align-items: center; gap: 10px; padding: 8px 14px; background: var(--panel);
  border-bottom: 1px solid var(--line);
}
.brand, .logo, .state, .toggles, .buttons {
  display: flex; align-items: center; gap: 6px; white-space: nowrap;
}
.logo { gap: 0; }
.logo i {
  width: 10px; height: 10px; margin-right: -2px; border-radius: 50%; background: var(--command);
}
.logo i + i { background: var(--query); }
.logo i + i + i { margin-right: 4px; background: var(--event); }
.state { margin: 0 auto 0 8px; }
.dot { width: 8px; height: 8px; border-radius: 50%; background: var(--open); }
[data-state=live] { background: var(--fulfilled); }
[data-state^=un] { background: var(--rejected); }
[data-state=recording] { background: var(--event); }
.search { position: relative; flex: 0 1 250px; }
.search input { width: 100%; background: var(--page); }
.search kbd { position: absolute; top: 5px; right: 7px; pointer-events: none; }
::placeholder { color: var(--quiet); opacity: 1; }
.toggle { padding: 0 10px 0 7px; }
.toggle[aria-pressed=true] { border-color: color-mix(in srgb, currentColor 45%, var(--line)); }
.toggle[aria-pressed=false] { background: none; color: var(--quiet); }
.toggle[aria-pressed=false] * { color: inherit; text-decoration: line-through; }
.on {
  background: var(--accent); border-color: var(--accent); color: var(--page); font-weight: 600;
}
.figures dl { display: flex; gap: 26px; }
.figures dd { display: flex; align-items: baseline; gap: 5px; white-space: nowrap; }
.figures b { font-size: 20px; line-height: 1.25; }
.unit { max-width: 130px; }
.fails div:nth-child(2) b { color: var(--rejected); }
.minute {
  flex: 1; min-width: 60px; max-width: 620px; height: 46px; margin-left: auto; cursor: crosshair;
}
`;
