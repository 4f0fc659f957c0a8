// How a number on the screen came about, with this very sample: words, the probabilities as bars, the formula last.

export async function why(box, sample) {
  const answer = await fetch(`/assay/why/${encodeURIComponent(sample)}`), said = await answer.json();
  const text = (tag, words) => Object.assign(document.createElement(tag), { textContent: words });
  if (!answer.ok) return () => box.replaceChildren(text("p", `${said.error}. ${said.hint}`));
  const bars = Object.assign(document.createElement("div"), { className: "bars" });
  for (const [name, p] of said.probs) {
    const bar = document.createElement("i");
    bar.style.width = `${Math.max(100 * p, 0.5)}%`;
    bar.classList.toggle("given", name === said.label && said.probs[0][0] !== said.label); // a label that is doubted stands out
    bars.append(text("span", name), bar, text("span", `${(100 * p).toFixed(0)} %`));
  }
  const parts = said.sentences.map((words) => text("p", words));
  return () => box.replaceChildren(parts[0], bars, ...parts.slice(1), text("code", said.formula));
}

