// One image under its number, one key for its class; an answer is stored before the next image comes.

export default function (component) {
  const root = component.parentElement.querySelector(".assay-blind");
  if (root.audit === component.data.audit) return root.stop;
  root.audit = component.data.audit;
  const stop = blind(root, component);
  return (root.stop = () => { stop(); root.audit = root.stop = null; });
}

function blind(root, component) {
  const { audit, rows, n, classes } = component.data, $ = (name) => root.querySelector(`[data-is="${name}"]`);
  const digits = classes.every((name) => /^[0-9]$/.test(name)), keys = digits ? classes : classes.slice(0, 9).map((_, i) => `${i + 1}`);
  const url = (row) => `/assay/audit/${audit}/${row}?side=512`, pictures = new Map();
  let left = [...rows], since = 0, busy = false, stopped = false;
  const picture = (row) => { if (!pictures.has(row)) { const img = new Image(); img.src = url(row); img.alt = `row ${row}`; pictures.set(row, img); } return pictures.get(row); };

  function show() {
    if (!left.length) return component.setTriggerValue("done", audit);
    $("picture").replaceChildren(picture(left[0]));
    left.slice(1, 8).forEach(picture);
    $("count").textContent = `${n - left.length + 1} of ${n}`;
    root.dataset.left = left.length;
    since = performance.now();
  }
  async function say(label, verdict) {
    if (busy || !left.length) return;
    busy = true;
    const body = JSON.stringify({ row: left[0], label, verdict, seconds: Math.round(performance.now() - since) / 1000 });
    for (let wait = 300; !stopped; wait = Math.min(2 * wait, 4000)) {
      try {
        const answer = await fetch(`/assay/audit/${audit}`, { method: "POST", headers: { "content-type": "application/json" }, body });
        const said = await answer.json();
        if (!answer.ok) { $("problem").textContent = said.error; break; }
        $("problem").textContent = "";
        left = left.slice(1);
        show();
        break;
      } catch { $("problem").textContent = "the server cannot be reached; trying again"; await new Promise((r) => setTimeout(r, wait)); }
    }
    busy = false;
  }
  const button = (key, name, press) => { const b = document.createElement("button"), k = document.createElement("kbd"); k.textContent = key; b.append(...(key ? [k] : []), name); b.onclick = press; return b; };
  $("classes").replaceChildren(...classes.map((name, i) => button(keys[i] ?? "", name, () => say(name, null))), button("N", "not sure", () => say(null, "unsure")));
  const key = (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(e.composedPath()[0].tagName)) return;
    const at = keys.indexOf(e.key);
    if (at >= 0) say(classes[at], null);
    else if (e.key.toLowerCase() === "n") say(null, "unsure");
    else return;
    e.preventDefault();
    e.stopPropagation();
  };
  document.addEventListener("keydown", key, true);
  show();
  return () => { stopped = true; document.removeEventListener("keydown", key, true); };
}
