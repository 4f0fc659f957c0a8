// A class is moved by dragging its grip, or by keys on it.

export function letMove(list, page) {
  let dragged = null;
  const rowOf = (e) => e.target.closest?.("li[data-name]");
  const clear = () => list.querySelectorAll(".above, .below").forEach((li) => li.classList.remove("above", "below"));
  const isAbove = (li, e) => { const box = li.firstChild.getBoundingClientRect(); return e.clientY < box.top + box.height / 2; };

  function move(name, to) { // to its place in the whole list, whatever is searched for
    const rest = page.all().map((c) => c.name).filter((n) => n !== name), at = Math.max(0, Math.min(rest.length, to));
    if (at === page.place(name)) return;
    page.act({ what: "move", name, before: rest[at] ?? null });
  }
  function keys(e) {
    if (e.target.dataset?.part !== "grip" || e.ctrlKey || e.metaKey) return;
    const name = rowOf(e).dataset.name, at = page.place(name), to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: page.all().length - 1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    move(name, to);
  }
  list.addEventListener("keydown", keys);
  list.addEventListener("dragstart", (e) => {
    if (e.target.dataset?.part !== "grip") return;
    dragged = rowOf(e).dataset.name;
    e.dataTransfer.effectAllowed = "move";
    e.dataTransfer.setData("text/plain", ""); // nothing of it leaves the page
    e.dataTransfer.setDragImage(rowOf(e), 10, 10);
  });
  list.addEventListener("dragover", (e) => {
    const li = rowOf(e);
    if (dragged === null || !li) return;
    e.preventDefault();
    clear();
    li.classList.add(isAbove(li, e) ? "above" : "below");
  });
  list.addEventListener("drop", (e) => {
    const li = rowOf(e), name = dragged;
    if (name === null || !li) return;
    e.preventDefault();
    const over = page.place(li.dataset.name) + (isAbove(li, e) ? 0 : 1);
    move(name, over - (page.place(name) < over ? 1 : 0));
  });
  list.addEventListener("dragend", () => { dragged = null; clear(); });
  return { move, stop() { dragged = null; } };
}
