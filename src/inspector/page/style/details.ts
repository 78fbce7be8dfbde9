/** Style of the panel of the selected message, and of the help. */
export const details = `
.details {
  position: relative; flex: 0 0 388px; padding: 16px 18px; background: var(--panel);
  border-left: 1px solid var(--line); overflow: hidden auto;
}
.close { position: absolute; top: 12px; right: 12px; }
.details h2 { margin-top: 5px; font-size: 18px; }
.details h3 { margin: 20px 0 7px; font-weight: 600; }
.row { display: flex; flex-wrap: wrap; gap: 6px; margin-top: 12px; }
.row button { padding: 0 9px; font-size: 12px; }
.tree button {
  display: grid; grid-template-columns: 46% 1fr; gap: 10px; align-items: center; width: 100%;
  height: 25px; padding: 0 6px; background: none; border: 0; text-align: left;
}
.tree-name { display: flex; align-items: center; gap: 7px; }
.bead {
  flex: none; width: 9px; height: 9px; border: 2px solid var(--kind); border-radius: 50%;
  background: var(--kind);
}
.s-rejected .bead, .bar.s-rejected { border-color: var(--rejected); background: var(--rejected); }
.s-cancelled .bead { border-color: var(--quiet); background: none; }
.s-open .bead { border-color: var(--open); background: none; }
.tree li { color: var(--text); }
.track {
  position: relative; height: 9px; background: var(--raised); border-radius: 4px; overflow: hidden;
}
.bar {
  position: absolute; height: 100%; min-width: 3px; border-radius: 3px; background: var(--kind);
}
.bar.s-cancelled { background: var(--quiet); }
.bar.s-open {
  background: repeating-linear-gradient(90deg, var(--open) 0 5px, transparent 5px 8px);
}
.json, .error pre { padding: 10px 12px; background: var(--page); border-radius: 8px; }
.card .json { padding: 8px 0; }
.j-key { color: var(--command); }
.j-string { color: var(--query); }
.j-value { color: var(--event); }
.error {
  margin-top: 16px; padding: 12px;
  background: color-mix(in srgb, var(--rejected) 10%, var(--panel));
  border: 1px solid color-mix(in srgb, var(--rejected) 35%, var(--line)); border-radius: 10px;
}
.error h3 {
  display: flex; flex-wrap: wrap; justify-content: space-between; margin: 0 0 3px;
  color: var(--rejected);
}
.error pre { margin-top: 9px; }
.help { top: 56px; right: 14px; max-height: calc(100% - 70px); padding: 14px 20px; overflow: auto; }
.help dl { display: grid; grid-template-columns: 70px 1fr; gap: 6px 12px; margin: 8px 0 14px; }
`;
