// What the page asks of its own accord: whether two names are one class.

import { clip, count, make, samples } from "../browse/dom.js";

export function listSimilar(box, { pairs, more }, act) {
  box.hidden = !pairs.length;
  const lines = pairs.map(({ old, n, new: name, of }) => make("li", {},
    make("span", { title: `${old}\n${name}` }, make("q", { text: clip(old, 60) }), ` (${samples(n)}) looks like `, make("q", { text: clip(name, 60) }), ` (${count(of)})`),
    make("button", { text: `Merge into ${clip(name, 30)}`, title: name, onclick: () => act({ what: "rename", name: old, new: name }) })));
  box.replaceChildren(make("h2", { text: "Probably one class" }), make("p", { class: "quiet", text: "These names differ in capitals, blanks, accents or Unicode form alone." }), make("ul", {}, ...lines));
  if (more) box.append(make("p", { class: "quiet", text: `And ${count(more)} more, once these are settled.` }));
}
