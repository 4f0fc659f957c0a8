// What becomes of a key: written into a field, an answer to the question, an act, or a class.

export function listenToKeys(root, { press, see, keys, viewer, act, decide, undo, redo }) {
  return (e) => {
    const held = press.held(e), from = e.composedPath()[0], mine = () => { e.preventDefault(); e.stopPropagation(); };
    if (e.isComposing || root.querySelector("dialog[open]")) return;
    const typing = (/^(INPUT|TEXTAREA|SELECT)$/.test(from.tagName) && from.type !== "range") || from.isContentEditable;
    const written = typing && Boolean(from.value ?? from.textContent); // whose own undo it is
    if ((e.ctrlKey || e.metaKey) && !e.altKey && /^[zy]$/i.test(e.key) && !written && !see.asking()) {
      mine();
      if (!held) e.shiftKey || e.key.toLowerCase() === "y" ? redo(e.timeStamp) : undo(e.timeStamp);
      return;
    }
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (typing) return void (held && e.key === "Enter" && root.contains(from) && mine());
    if (see.asking()) return void (see.answered(e, held) && mine());
    if (from.type === "range" && e.key.startsWith("Arrow")) return;
    if (from.tagName === "BUTTON" && (e.key === "Enter" || e.key === " ") && root.contains(from)) from.blur();
    if (viewer.pan(e)) return mine();
    const found = keys.find(e);
    if (!found) return;
    mine();
    if (!held) found.act ? act(found.act, e.timeStamp) : decide("label", found.label, e.timeStamp);
  };
}
