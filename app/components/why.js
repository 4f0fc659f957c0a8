// How numbers on the screen came about, with this very sample: the probabilities as bars; then each number with words, formula, what was put
// in, its lesson and the line of code.

const text = (tag, words, name = "") => Object.assign(document.createElement(tag), { textContent: words, className: name });

export function drawProbs({ probs, label }) { // a label that is doubted stands out
  const bars = text("div", "", "probs");
  for (const [name, p] of probs) {
    const bar = document.createElement("i");
    bar.style.width = `${Math.max(100 * p, 0.5)}%`;
    bar.classList.toggle("given", name === label && probs[0][0] !== label);
    bars.append(text("span", name.length > 24 ? `${name.slice(0, 23)}…` : name), bar, text("span", `${(100 * p).toFixed(0)} %`));
  }
  return bars;
}

export function drawNumber(number, open) {
  const part = text("details", "", "number"), head = text("summary", "");
  part.open = open;
  head.append(text("b", number.result), ` ${number.title}`);
  part.append(head, ...number.notes.map((words) => text("p", words)), text("code", number.formula));
  if (number.filled) part.append(text("code", number.filled, "filled"));
  const place = text("small", "");
  if (number.lesson_address) place.append(Object.assign(text("a", "the lesson"), { href: number.lesson_address, target: "_blank" }), " · ");
  place.append(text("code", `${number.file}:${number.line}`), ` ${number.function}`);
  part.append(place);
  return part;
}

export function drawWhy(said) { // said: an answer of /assay/why
  const [first, ...rest] = said.numbers;
  return [...(first ? [drawNumber(first, true)] : []), drawProbs(said), ...rest.map((number) => drawNumber(number, false))];
}

export async function why(box, sample) {
  const answer = await fetch(`/assay/why/${encodeURIComponent(sample)}`), said = await answer.json();
  if (!answer.ok) return () => box.replaceChildren(text("p", `${said.error}. ${said.hint}`));
  const parts = drawWhy(said);
  return () => box.replaceChildren(...parts);
}
