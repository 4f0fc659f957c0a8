// The first script of Browse's page: the grid is painted, and then Streamlit starts (see early_page.py).

import { openEarly } from "./early.js";

const PATIENCE = 4000, SECONDS = 5; // ms until Streamlit starts in any case

const later = document.getElementById("assay-later"), root = openEarly(SECONDS);
const begin = () => { there.disconnect(); clearTimeout(late); document.head.append(later.content); };
const there = new MutationObserver(() => { if (root.dataset.painted || root.dataset.total === "0") requestAnimationFrame(() => setTimeout(begin)); });
const late = setTimeout(begin, PATIENCE);
there.observe(root, { attributes: true, attributeFilter: ["data-painted", "data-total"] });
