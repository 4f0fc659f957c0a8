// Sheets of pictures that a page of Streamlit draws: a click opens one in the viewer, arrows lead through its sheet.

import { openPicture } from "./viewer.js";

export default function (component) {
  const root = component.parentElement;
  function open(e) {
    const link = e.target.closest?.(".assay-sheet a, .assay-sheet figure");
    if (!link || e.defaultPrevented || e.button || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return; // a link in a tab of its own stays one
    const sheet = link.closest(".assay-sheet"), all = [...sheet.querySelectorAll("figure")], step = (by) => {
      at = Math.max(0, Math.min(all.length - 1, at + by));
      return shown(all[at]);
    };
    let at = all.indexOf(link.closest("figure") ?? link.querySelector("figure"));
    if (at < 0) return;
    e.preventDefault();
    openPicture({ ...shown(all[at]), step: all.length > 1 ? step : null, closed: () => link.focus() });
    function shown(figure) {
      const img = figure.querySelector("img"), words = img.alt.replaceAll("\u2060", ""); // see escape_attribute
      const to = figure.closest('a[href*="/history?"]')?.href;
      return {
        address: img.src.replace(/side=\d+/, "side=1024"), name: words, caption: [words, figure.innerText.trim()].filter(Boolean).join(": "),
        ahead: [all[at + 1], all[at - 1]].filter(Boolean).map((f) => f.querySelector("img").src.replace(/side=\d+/, "side=1024")),
        actions: to ? [["its history", () => location.assign(to)]] : [],
      };
    }
  }
  document.addEventListener("click", open);
  root.dataset.sheets = "ready";
  return () => document.removeEventListener("click", open);
}
