// Which samples are selected: a mark for each row of the table, so that a million cost a megabyte.

export class Selection {
  constructor(changed) { this.marks = new Uint8Array(0); this.size = 0; this.changed = changed; }
  reset(rows) { this.marks = new Uint8Array(rows); this.size = 0; }
  grow(rows) { // samples that came since lie behind the others
    if (rows <= this.marks.length) return;
    const marks = new Uint8Array(rows);
    marks.set(this.marks);
    this.marks = marks;
  }
  has(row) { return this.marks[row] === 1; }
  set(row, on) {
    if ((this.marks[row] === 1) === on) return;
    this.marks[row] = on ? 1 : 0;
    this.size += on ? 1 : -1;
  }
  toggle(row) { this.set(row, !this.has(row)); this.changed(); }
  range(order, from, to, on = true) {
    for (let i = Math.min(from, to); i <= Math.max(from, to); i++) this.set(order[i], on);
    this.changed();
  }
  all(order) { for (const row of order) this.set(row, true); this.changed(); }
  clear() { this.marks.fill(0); this.size = 0; this.changed(); }
  restore(marks) { // as they were before a drag
    this.marks.set(marks);
    this.size = marks.reduce((n, m) => n + m, 0);
  }
  rows() {
    const out = [];
    for (let i = 0; i < this.marks.length; i++) if (this.marks[i]) out.push(i);
    return out;
  }
  within(order) { // how many of them the filter shows
    let n = 0;
    for (const row of order) n += this.marks[row];
    return n;
  }
  body(order, of, table) { // as an act names them: by those that are meant, or by the exceptions where those are fewer
    if (this.size > 1000 && this.size > order.length / 2 && this.within(order) === this.size) return { of, but: [...order].filter((row) => !this.marks[row]) };
    return { table, only: this.rows() };
  }
}
