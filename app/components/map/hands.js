// Hands on the map: drag to move or to circle, wheel and two fingers to zoom, and the same by keys.

const STILL = 4; // pixels that a click may slip

export class Hands {
  constructor(root, camera, actions) { // moved(), lasso(corners, {add, take}), trace(corners), hover(x, y), leave(), click(x, y, e), open(x, y)
    Object.assign(this, { root, camera, actions, circling: false, fingers: new Map(), corners: null });
    root.onpointerdown = (e) => this.down(e);
    root.onpointermove = (e) => this.move(e);
    root.onpointerup = (e) => this.up(e);
    root.onpointercancel = (e) => { this.fingers.delete(e.pointerId); this.corners = null; actions.trace(null); };
    root.onpointerleave = () => actions.leave();
    root.ondblclick = (e) => actions.open(...this.spot(e));
    root.addEventListener("wheel", (e) => { e.preventDefault(); camera.zoom(Math.exp((-e.deltaY * (e.deltaMode ? 20 : 1)) / 400), ...this.spot(e)); actions.moved(); }, { passive: false });
    root.onkeydown = (e) => this.key(e);
  }
  spot(e) { const box = this.root.getBoundingClientRect(); return [e.clientX - box.left, e.clientY - box.top]; }
  down(e) {
    if (e.button) return;
    this.root.focus({ preventScroll: true });
    this.root.setPointerCapture(e.pointerId);
    this.fingers.set(e.pointerId, this.spot(e));
    this.pressed = this.spot(e);
    this.slipped = this.fingers.size > 1;
    this.corners = this.fingers.size === 1 && (this.circling || e.shiftKey || e.altKey) ? [this.pressed] : null;
  }
  move(e) {
    const before = this.fingers.get(e.pointerId), now = this.spot(e);
    if (!before) return this.actions.hover(...now);
    if (Math.hypot(now[0] - this.pressed[0], now[1] - this.pressed[1]) >= STILL) this.slipped = true;
    if (this.corners) {
      for (const one of e.getCoalescedEvents?.() ?? [e]) this.corners.push(this.spot(one));
      return this.actions.trace(this.corners);
    }
    if (this.fingers.size === 2) this.pinch(e.pointerId, before, now);
    else if (this.slipped) this.camera.pan(now[0] - before[0], now[1] - before[1]);
    else return;
    this.fingers.set(e.pointerId, now);
    this.actions.moved();
  }
  pinch(id, before, now) {
    const [, other] = [...this.fingers].find(([key]) => key !== id), away = (p) => Math.max(1, Math.hypot(p[0] - other[0], p[1] - other[1]));
    this.camera.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
    this.camera.zoom(away(now) / away(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  }
  up(e) {
    if (!this.fingers.delete(e.pointerId)) return;
    const corners = this.corners;
    this.corners = null;
    this.actions.trace(null);
    if (!this.slipped) return this.actions.click(...this.pressed, e);
    if (corners?.length > 2) this.actions.lasso(corners.map(([x, y]) => this.camera.place(x, y)), { add: e.shiftKey, take: e.altKey });
  }
  key(e) {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const { camera, actions } = this, far = 60, middle = [camera.width / 2, camera.height / 2];
    const pan = { ArrowLeft: [far, 0], ArrowRight: [-far, 0], ArrowUp: [0, far], ArrowDown: [0, -far] }[e.key], zoom = { "+": 1.4, "=": 1.4, "-": 1 / 1.4 }[e.key];
    if (pan) camera.pan(...pan);
    else if (zoom) camera.zoom(zoom);
    else if (e.key === "0") actions.fit();
    else if (e.key === "Enter") actions.open(...middle);
    else if (e.key === " ") actions.click(...middle, e);
    else if (e.key === "v") actions.selectView(e);
    else return;
    e.preventDefault();
    e.stopPropagation();
    if (pan || zoom) actions.moved();
  }
}
