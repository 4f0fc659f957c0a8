// A picture from outside, dropped in, pasted or chosen: it is looked for, and the likest come first.

import { make } from "./dom.js";
import { ask } from "./server.js";

const PATIENCE = 700; // ms until a person is told what takes so long

export class OutsidePictures {
  constructor({ root, middle, found, say }) { // found(name): look for it; say(words)
    Object.assign(this, { root, found, say, urls: new Map() });
    this.input = make("input", { type: "file", accept: "image/*", hidden: true, "aria-label": "a picture to look for" });
    this.input.onchange = () => { this.look(this.input.files[0]); this.input.value = ""; };
    root.append(this.input);
    middle.ondragover = (e) => { if ([...e.dataTransfer.items].some((i) => i.kind === "file")) { e.preventDefault(); root.classList.add("dropping"); } };
    middle.ondragleave = () => root.classList.remove("dropping");
    middle.ondrop = (e) => {
      root.classList.remove("dropping");
      if (e.dataTransfer.files.length) { e.preventDefault(); this.look(e.dataTransfer.files[0], e.dataTransfer.files.length); }
    };
    this.paste = (e) => {
      const file = [...(e.clipboardData?.files ?? [])].find((f) => f.type.startsWith("image/"));
      if (file && root.isConnected) { e.preventDefault(); this.look(file); }
    };
    document.addEventListener("paste", this.paste);
  }
  choose() { this.input.click(); }
  picture(name) { return this.urls.get(name); }
  async look(file, many = 1) {
    if (!file) return;
    this.say(`Looking for samples like ${file.name} …`);
    const slow = setTimeout(() => this.say(`Looking for samples like ${file.name}: the model of the scan is loaded to read it, which takes some seconds …`), PATIENCE);
    try {
      const url = await new Promise((r, no) => { const reader = new FileReader(); reader.onload = () => r(reader.result); reader.onerror = () => no(new Error("it cannot be read")); reader.readAsDataURL(file); });
      const said = await ask("/assay/picture", { picture: url.slice(url.indexOf(",") + 1) });
      this.urls.set(said.like, url);
      await this.found(said.like);
      this.say(many > 1 ? `The first of ${many} pictures was looked for: ${file.name}.` : "");
    } catch (wrong) { this.say(`${file.name}: ${wrong.message ?? "it cannot be read"}. ${wrong.hint ?? ""}`); } finally { clearTimeout(slow); }
  }
  stop() { document.removeEventListener("paste", this.paste); }
}
