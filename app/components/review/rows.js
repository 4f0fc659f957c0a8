// A row of a table in place of a picture: each column, its value, and how usual that is in either class.

const make = (name, textContent, more) => Object.assign(document.createElement(name), { textContent, ...more });

export function drawRow(item) { // an element that is there at once: see `load` of seen.js for what `state` says
  const box = make("article", "", { className: "text row", tabIndex: 0, state: "there" });
  const table = document.createElement("table"), head = document.createElement("thead"), body = document.createElement("tbody");
  const given = item.given_label ?? "none", other = item.suggested_label && item.suggested_label !== item.given_label ? item.suggested_label : "";
  const titles = ["column", "value", `among ${given}`, ...(other ? [`among ${other}`] : [])];
  head.append(document.createElement("tr"));
  head.firstChild.append(...titles.map((words) => make("th", words, { scope: "col", title: words })));
  for (const [column, value, mine, theirs, odd] of item.cells) {
    const line = document.createElement("tr");
    line.className = odd ? "odd" : "";
    line.append(make("th", column, { scope: "row", title: column, dir: "auto" }), cell(value), make("td", odd ? `${mine}, unusual` : mine));
    if (other) line.append(make("td", theirs));
    body.append(line);
  }
  table.append(make("caption", item.name), head, body);
  box.append(table);
  return box;
}

function cell(value) {
  if (value === null) return make("td", "missing", { className: "missing" });
  return make("td", value, { title: value, dir: "auto" });
}

export function drawNearRow(near) { // what differs, marked, before how much is the same
  const box = make("span", "", { className: "text row" }), others = near.cells.filter(([, , differs]) => differs);
  for (const [column, value] of others) {
    const line = make("span", "", { className: "line", title: `${column}: ${value ?? "missing"}` });
    line.append(make("span", `${column} `), make("mark", value ?? "missing"));
    box.append(line);
  }
  box.append(make("small", `${near.cells.length - others.length} of ${near.cells.length} columns the same`));
  return box;
}
