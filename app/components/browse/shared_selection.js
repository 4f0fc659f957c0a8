// One selection for all windows of a browser: what one of them selects, the others show. It goes with the last of them.

const NAME = "assay:selection", SOON = 40; // ms: a drag changes it with every step

function pack(marks) { // a bit a row, as text: a million rows are 167 KB
  const bytes = new Uint8Array(Math.ceil(marks.length / 8));
  for (let i = 0; i < marks.length; i++) bytes[i >> 3] |= marks[i] << (i & 7);
  let out = "";
  for (let i = 0; i < bytes.length; i += 8192) out += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(out);
}
function unpack(text, rows) {
  const bytes = atob(text), marks = new Uint8Array(rows);
  for (let i = 0; i < rows; i++) marks[i] = (bytes.charCodeAt(i >> 3) >> (i & 7)) & 1;
  return marks;
}

export class SharedSelection {
  constructor(selection, table, shown) { // table(): what the rows mean; shown(): it came from elsewhere
    Object.assign(this, { selection, table, shown, timer: null });
    this.channel = new BroadcastChannel(NAME);
    this.channel.onmessage = ({ data }) => this.hear(data);
    this.leave = () => { if (this.timer) this.send(); };
    addEventListener("pagehide", this.leave);
  }
  stop() { this.leave(); this.channel.close(); removeEventListener("pagehide", this.leave); }
  publish() { this.timer ??= setTimeout(() => this.send(), SOON); }
  send() {
    clearTimeout(this.timer);
    this.timer = null;
    const said = { table: this.table(), marks: pack(this.selection.marks) };
    sessionStorage.setItem(NAME, JSON.stringify(said)); // for the page that this window opens next
    this.channel.postMessage(said);
  }
  hear(said) {
    if (said.asked) { if (said.table === this.table() && this.selection.size) this.send(); return; }
    if (said.table !== this.table() || this.timer) return; // of other samples, or older than what is selected here
    sessionStorage.setItem(NAME, JSON.stringify(said));
    this.take(said);
  }
  take(said) { this.selection.restore(unpack(said.marks, this.selection.marks.length)); this.shown(); }
  restore() { // what this window had selected on another page, else what others have
    const kept = JSON.parse(sessionStorage.getItem(NAME) ?? "null");
    if (kept?.table === this.table()) this.take(kept);
    else this.channel.postMessage({ asked: true, table: this.table() });
  }
}
