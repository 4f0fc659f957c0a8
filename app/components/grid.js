// Many alike at once: scan with the eyes, unpick the exceptions, accept the rest as one batch.

export default function (component) {
  const root = component.parentElement.querySelector(".assay-grid");
  if (root.said !== component.data.key) { root.said = component.data.key; grid(root, component); }
}

function grid(root, component) {
  const { items, actions, who, side } = component.data, out = new Set(), list = root.querySelector(".many"), bar = root.querySelector(".bar"), says = root.querySelector("em");
  let sending = false, told = null;
  const box = root.querySelector(".told");
  const hex = (n) => [...crypto.getRandomValues(new Uint8Array(n))].map((b) => b.toString(16).padStart(2, "0")).join("");
  const text = (tag, words, name) => Object.assign(document.createElement(tag), { textContent: words, className: name ?? "" });
  list.style.setProperty("--side", `${side ?? 112}px`);
  list.replaceChildren(...items.map((item) => {
    const b = document.createElement("button"), img = new Image();
    img.loading = "lazy";
    img.src = `/assay/image/${encodeURIComponent(item.sample)}?side=256`;
    img.alt = item.name;
    b.append(img, text("small", item.label ?? "no label"), text("small", item.note ?? "", "note"));
    b.title = `${item.name}\n${item.why ?? ""}`;
    b.setAttribute("aria-pressed", "true");
    b.onclick = () => { out.has(item.sample) ? out.delete(item.sample) : out.add(item.sample); b.setAttribute("aria-pressed", String(!out.has(item.sample))); count(); };
    const ask = Object.assign(text("span", "?", "ask"), { role: "button", ariaLabel: `explain ${item.name}`, title: "explain (E)", onclick: () => tell(item) });
    const cell = text("div", "");
    cell.append(b, ask);
    return cell;
  }));
  list.onkeydown = (e) => { // arrows go from picture to picture; space unpicks, E explains
    const all = [...list.querySelectorAll("button")], at = all.indexOf(e.target), across = Math.max(1, all.filter((b) => b.parentElement.offsetTop === all[0].parentElement.offsetTop).length);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + across, ArrowUp: at - across }[e.key];
    if (e.key.toLowerCase() === "e" && at >= 0) tell(items[at]);
    if (to !== undefined && all[to]) { e.preventDefault(); all[to].focus(); }
  };
  bar.replaceChildren(...actions.map((action) => Object.assign(text("button", ""), { onclick: () => send(action) })));
  const count = () => [...bar.children].forEach((b, i) => (b.textContent = `${actions[i].name} (${items.length - out.size})`));
  bar.querySelectorAll("button").forEach((b, i) => b.classList.toggle("main", Boolean(actions[i].main)));
  count();
  box.hidden = true;
  says.textContent = items.length && actions.length ? "Unpick the exceptions; what is left goes as one batch." : "";
  async function tell(item) { // how its number came about, beneath what can be done; asked again, it goes
    told = told === item ? null : item;
    box.hidden = !told;
    if (told) { const show = await why(box, item.sample); if (told === item) { show(); box.prepend(text("b", item.name)); } }
  }
  async function send(action) {
    const chosen = items.filter((i) => !out.has(i.sample));
    if (sending || !chosen.length) return;
    sending = true;
    says.textContent = "storing …";
    const decision = chosen.map((i) => ({ sample: i.sample, suggested_label: i.suggested_label ?? null, given_label: i.label ?? null, ...Object.fromEntries(Object.entries(action.decision).map(([k, v]) => [k, v === "$suggested" ? i.suggested_label : v])) }));
    const sent = [{ batch: `edit-${hex(6)}`, decision }];
    for (let wait = 500; ; wait = Math.min(2 * wait, 5000)) {
      try {
        const answer = await fetch("/assay/decisions", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ who, sent }) });
        const said = await answer.json();
        const wrong = said.error ?? Object.values(said.refused ?? {})[0];
        says.textContent = wrong ? `not stored: ${wrong}` : `${chosen.length} stored as one batch: ${sent[0].batch}`;
        if (!wrong) component.setTriggerValue("stored", sent[0].batch);
        break;
      } catch { says.textContent = "the server cannot be reached; trying again"; await new Promise((r) => setTimeout(r, wait)); }
    }
    sending = false;
  }
}
