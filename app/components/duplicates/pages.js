// A long list by pages: what is near the window is drawn, the rest is room of the same height.

import { make } from "../browse/dom.js";

export class Pages {
  constructor(box, { read, draw, room }) { // read(after): the groups from there on; draw(group, place): an element; room: px of one
    Object.assign(this, { box, read, draw, room });
    this.watch = new IntersectionObserver((seen) => seen.forEach((s) => (s.isIntersecting ? this.fill(s.target) : this.empty(s.target))), { root: box, rootMargin: "100% 0px" });
  }
  show(total, size, first) { // total groups, `size` on a page; the first page is here already
    const top = this.box.scrollTop;
    this.watch.disconnect();
    this.size = size;
    this.shown = (this.shown ?? 0) + 1;
    const pages = [];
    for (let after = 0; after < total; after += size) {
      const page = make("div", { class: "page", data: { after } });
      page.style.minHeight = `${Math.min(size, total - after) * this.room}px`;
      pages.push(page);
    }
    this.box.replaceChildren(...pages);
    if (pages.length) this.put(pages[0], first);
    this.box.scrollTop = top;
    for (const page of pages) this.watch.observe(page);
  }
  put(page, groups) {
    page.filled = true;
    page.style.minHeight = "";
    page.replaceChildren(...groups.map((group, k) => this.draw(group, Number(page.dataset.after) + k)));
    if (groups.length) this.room = page.offsetHeight / groups.length || this.room;
  }
  async fill(page) {
    if (page.filled) return;
    page.filled = true;
    const mine = this.shown;
    try {
      const groups = await this.read(Number(page.dataset.after));
      if (mine === this.shown && groups) this.put(page, groups); else page.filled = false;
    } catch { page.filled = false; }
  }
  empty(page) {
    if (!page.filled || page.contains(document.activeElement)) return;
    page.style.minHeight = `${page.offsetHeight}px`;
    page.filled = false;
    page.replaceChildren();
  }
  async go(place) { // the group at a place of the list, drawn and in sight
    const page = this.box.children[Math.floor(place / this.size)];
    if (!page) return null;
    if (!page.firstChild) { page.filled = false; await this.fill(page); }
    return page.children[place % this.size] ?? null;
  }
  stop() { this.watch.disconnect(); }
}
