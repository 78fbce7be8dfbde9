/** Style of the lanes, the box beside the pointer, and the notice above them. */
export const diagram = `
.diagram { position: relative; flex: 62 1 0; min-height: 120px; }
.lanes { height: 100%; overflow: hidden auto; }
.inner { position: relative; min-height: 100%; }
.heads {
  position: absolute; z-index: 1; width: 226px; min-height: 100%; background: var(--panel);
  border-right: 1px solid var(--line);
}
.marbles {
  position: sticky; top: 0; display: block; margin-left: 226px; touch-action: pan-y; cursor: grab;
}
.over { cursor: pointer; }
.group, .lane {
  position: relative; display: flex; align-items: center; gap: 10px; padding: 0 12px;
  border-bottom: 1px solid var(--line);
}
.group { width: max-content; min-width: 100%; pointer-events: none; }
.title { font-size: 10px; font-weight: 600; text-transform: uppercase; }
.gauges { color: var(--kind); }
.lane-text { flex: 1; min-width: 0; line-height: 1.3; }
.only, .row-button {
  height: auto; max-width: 100%; padding: 0; background: none; border: 0; border-radius: 0;
  font-weight: 600;
}
.only:hover, .only[aria-pressed=true] { text-decoration: underline; }
.lane-figures { display: block; }
.lane-failures { position: absolute; top: 6px; right: 12px; color: var(--rejected); }
.hint { position: absolute; inset: 40% 0 auto 226px; text-align: center; pointer-events: none; }
.tip, .help {
  position: absolute; z-index: 4; background: var(--raised); border: 1px solid var(--line);
  border-radius: 10px; box-shadow: 0 8px 40px rgb(0 0 0 / .3);
}
.tip { top: 0; left: 0; max-width: min(380px, 90%); padding: 8px 11px; pointer-events: none; }
.tip strong { color: var(--kind); }
.when { margin-left: 9px; }
.notice {
  padding: 12px 16px; background: color-mix(in srgb, var(--open) 14%, var(--panel));
  border-bottom: 1px solid var(--line);
}
`;
