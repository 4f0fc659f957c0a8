// Several labels a sample: a label is the JSON text of a list of classes, and is changed a class at a time.

export const readSet = (label) => (label ? JSON.parse(label) : []);
export const showSet = (label) => (label?.startsWith("[") ? readSet(label).join(", ") || "no class" : label);
const same = (a, b) => a.size === b.size && [...a].every((name) => b.has(name));

export function makeSets(root, $, { keys, item: current }) { // of one label a sample it does nothing
  let several = false;
  const chosen = (item) => (item.chosen ??= new Set(readSet(item.suggested_label ?? item.given_label)));

  function draw() {
    const item = current();
    $("question").hidden = !several || !item?.question;
    if (!several || !item) return;
    $("asked").textContent = `Does “${item.question}” apply?`;
    $("suggested").textContent = showSet(JSON.stringify([...chosen(item)].sort()));
    $("given").textContent = item.given_label === null ? "none" : showSet(item.given_label);
    $("do-suggested").disabled = false;
    for (const b of root.querySelectorAll(".labels [data-label]")) b.ariaPressed = String(chosen(item).has(b.dataset.label));
  }
  return {
    draw,
    several: () => several,
    show: (label) => (several ? showSet(label) : label),
    setSeveral(is) {
      several = is;
      keys.setSeveral(several);
      root.classList.toggle("several", several);
      $("main-words").textContent = several ? "store these classes" : "the suggestion is right";
    },
    prepare(item) { // neighbours that have the class in question as the suggestion says stand for it
      if (!several) return item;
      const there = (label) => readSet(label).includes(item.question);
      for (const near of item.near) {
        near.side = !item.question ? "" : there(near.label) === there(item.suggested_label ?? item.given_label) ? "for" : "against";
        near.label = showSet(near.label);
      }
      return item;
    },
    toggle(label, added) { // added: it is a new class
      const item = current(), set = chosen(item);
      if (!set.delete(label)) set.add(label);
      item.added ||= Boolean(added);
      draw();
      return true;
    },
    answer(yes) { // the one question: all other classes stay as they are given; false where none is asked
      const item = current();
      if (!item?.question) return false;
      item.chosen = new Set(readSet(item.given_label));
      yes ? item.chosen.add(item.question) : item.chosen.delete(item.question);
      draw();
      return true;
    },
    decision(item) { // [what, label, whether it has a new class] of what is chosen
      if (item.given_label !== null && same(chosen(item), new Set(readSet(item.given_label)))) return ["given", null, false];
      return ["label", JSON.stringify([...chosen(item)].sort()), item.added];
    },
  };
}
