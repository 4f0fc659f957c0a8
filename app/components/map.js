// Points on the map, drawn by the graphics card: drag to move, wheel to zoom, shift and drag to select. Places come as numbers, never as markup.

const VERTEX = `#version 300 es
in vec2 at; in float colour; uniform vec2 middle, scale; uniform float size; uniform sampler2D palette; out vec4 fill;
void main() { gl_Position = vec4((at - middle) * scale, 0.0, 1.0); gl_PointSize = size; fill = texelFetch(palette, ivec2(int(colour), 0), 0); }`;
const FRAGMENT = `#version 300 es
precision mediump float; in vec4 fill; out vec4 shown; uniform float solid;
void main() { vec2 p = gl_PointCoord - 0.5; if (dot(p, p) > 0.25) discard; shown = vec4(fill.rgb, 1.0) * solid; }`;

const NEAR = 7; // pixels around a click
const MOST = 100_000; // points drawn while the map moves; they come in random order, so that the first are a fair sample of all

export default function (component) {
  const root = component.parentElement.querySelector(".assay-map");
  if (!root.map) root.map = map(root, component);
  root.map.show(component.data);
  return () => { root.map.stop(); root.map = null; };
}

function map(root, component) {
  const canvas = root.querySelector("canvas"), over = root.querySelector("svg polygon"), note = root.querySelector(".note");
  const veil = root.querySelector(".veil"), legend = root.querySelector(".assay-legend");
  const gl = canvas.getContext("webgl2", { antialias: false, preserveDrawingBuffer: true, alpha: true });
  if (!gl) { note.textContent = "This browser has no WebGL: the table below has the same."; return { show() {}, stop() {} }; }
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text); gl.compileShader(shader); gl.attachShader(program, shader);
  }
  gl.linkProgram(program); gl.useProgram(program);
  const place = (name) => gl.getUniformLocation(program, name);
  const buffers = { at: gl.createBuffer(), colour: gl.createBuffer() }, texture = gl.createTexture();
  let n = 0, xy = null, view = { x: 0.5, y: 0.5, zoom: 1.9 }, whole = 1.9, asked = null, drawn = null, lasso = null, from = null, drawing = false, stopped = false, few = 0, pressed = [0, 0];

  async function show(data) { // one answer at a time: points, colours and legend of the newest question, and a veil until it is there
    if (data.url === asked) return;
    asked = data.url;
    veil.hidden = false;
    for (let wait = 500; !stopped && asked === data.url; wait = Math.min(2 * wait, 5000)) {
      try {
        const answer = await fetch(data.url), bytes = answer.ok ? await answer.arrayBuffer() : (await answer.json().catch(() => ({}))).error;
        if (stopped || asked !== data.url) return; // another colour was asked for meanwhile
        note.textContent = answer.ok ? "" : bytes ?? `the server says ${answer.status}`;
        if (answer.ok) take(bytes, data.drawn);
        else asked = null;
        veil.hidden = answer.ok;
        return;
      } catch { if (asked === data.url) note.textContent = "the server cannot be reached; trying again"; await new Promise((r) => setTimeout(r, wait)); }
    }
  }
  function take(bytes, method) { // n, the legend's length, the legend, n pairs of float32 in 0..1, n colours of a byte
    const [count, length] = new Uint32Array(bytes, 0, 2), told = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, length)));
    n = count;
    xy = new Float32Array(bytes, 8 + length, 2 * n);
    upload("at", xy, 2, gl.FLOAT);
    upload("colour", new Uint8Array(bytes, 8 + length + 8 * n, n), 1, gl.UNSIGNED_BYTE);
    paint(told.palette);
    legend.replaceChildren(...told.legend.map(([colour, name]) => { const dot = document.createElement("span"); dot.style.setProperty("--c", colour); dot.textContent = name; return dot; }));
    if (told.more) legend.append(Object.assign(document.createElement("em"), { textContent: `and ${told.more} more` }));
    if (drawn !== method) { drawn = method; lasso = null; fit(); outline(); } // drawn in another way everybody lies elsewhere; else one stays where one looks
    root.dataset.n = n;
    root.dataset.url = asked;
    redraw();
  }
  function paint(palette) {
    const colours = new Uint8Array(palette.flat().concat(Array(4 * (256 - palette.length)).fill(128)));
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, colours);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
  }
  function fit() { // all of it in view, whatever its shape
    const [x0, x1, y0, y1] = [[0, Math.min], [0, Math.max], [1, Math.min], [1, Math.max]].map(([axis, pick]) => {
      let found = xy[axis] ?? 0.5;
      for (let i = axis; i < xy.length; i += 2) found = pick(found, xy[i]);
      return found;
    });
    const w = canvas.clientWidth, h = canvas.clientHeight, small = Math.min(w, h);
    whole = 1.84 * Math.min(w / small / Math.max(x1 - x0, 1e-6), h / small / Math.max(y1 - y0, 1e-6));
    view = { x: (x0 + x1) / 2, y: (y0 + y1) / 2, zoom: whole };
  }
  function upload(name, data, size, kind) {
    const where = gl.getAttribLocation(program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffers[name]);
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(where);
    gl.vertexAttribPointer(where, size, kind, false, 0, 0);
  }
  let rest = null;
  function redraw(moving) {
    clearTimeout(rest);
    if (moving && n > MOST) rest = setTimeout(redraw, 150); // all of them, once it stands still
    few = moving ? Math.min(n, MOST) : n;
    if (drawing || stopped) return;
    drawing = true;
    requestAnimationFrame(() => {
      drawing = false;
      const start = performance.now(), dpr = devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
      if (canvas.width !== w * dpr || canvas.height !== h * dpr) { canvas.width = w * dpr; canvas.height = h * dpr; }
      gl.viewport(0, 0, canvas.width, canvas.height);
      gl.clearColor(0, 0, 0, 0); gl.clear(gl.COLOR_BUFFER_BIT);
      gl.enable(gl.BLEND); gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
      gl.uniform2f(place("middle"), view.x, view.y);
      gl.uniform2f(place("scale"), view.zoom * Math.min(1, h / w), view.zoom * Math.min(1, w / h));
      gl.uniform1f(place("size"), dpr * Math.max(1.5, Math.min(8, 200 / Math.sqrt(n + 1) * Math.sqrt(view.zoom / whole))));
      gl.uniform1f(place("solid"), n > MOST ? 0.25 : 0.8); // so many overlap that only density can be seen
      if (few) gl.drawArrays(gl.POINTS, 0, few);
      gl.finish();
      root.dataset.drawn = few;
      root.dataset.view = [view.x, view.y, view.zoom].map((v) => v.toFixed(4)).join(" ");
      performance.measure("assay:map", { start, end: performance.now() });
    });
  }
  const spot = (e) => { // where on the map a pointer is
    const box = canvas.getBoundingClientRect(), w = box.width, h = box.height;
    const x = (2 * (e.clientX - box.left)) / w - 1, y = 1 - (2 * (e.clientY - box.top)) / h;
    return [view.x + x / (view.zoom * Math.min(1, h / w)), view.y + y / (view.zoom * Math.min(1, w / h))];
  };
  const back = ([x, y]) => { // and where a place is drawn
    const w = canvas.clientWidth, h = canvas.clientHeight;
    return [((x - view.x) * view.zoom * Math.min(1, h / w) + 1) * w / 2, (1 - (y - view.y) * view.zoom * Math.min(1, w / h)) * h / 2];
  };
  const outline = () => over.setAttribute("points", (lasso ?? []).map(back).map((p) => p.map((v) => v.toFixed(1)).join(",")).join(" "));
  canvas.onpointerdown = (e) => {
    canvas.setPointerCapture(e.pointerId);
    if (e.shiftKey || root.querySelector("input").checked) lasso = [spot(e)];
    else { from = spot(e); lasso = null; outline(); }
    pressed = [e.clientX, e.clientY];
  };
  canvas.onpointermove = (e) => {
    if (lasso && e.buttons) { lasso.push(spot(e)); outline(); }
    else if (from && e.buttons) { const now = spot(e); view.x += from[0] - now[0]; view.y += from[1] - now[1]; redraw(true); outline(); }
  };
  canvas.onpointerup = (e) => {
    from = null;
    const moved = Math.hypot(e.clientX - pressed[0], e.clientY - pressed[1]);
    if (!lasso && moved < 4) lasso = [[-1, -1], [1, -1], [1, 1], [-1, 1]].map(([x, y]) => spot({ clientX: e.clientX + NEAR * x, clientY: e.clientY + NEAR * y })); // what lies under it
    if (lasso?.length < 3) lasso = null;
    const every = Math.ceil((lasso?.length ?? 0) / 200);
    lasso &&= lasso.filter((_, i) => i % every === 0).map((p) => p.map((v) => Math.round(1e6 * v) / 1e6)); // what is asked for is what is outlined
    outline();
    if (lasso) component.setStateValue("lasso", { drawn, at: lasso });
  };
  canvas.onwheel = (e) => {
    e.preventDefault();
    const before = spot(e);
    view.zoom = Math.max(whole / 2, Math.min(200 * whole, view.zoom * Math.exp(-e.deltaY / 400)));
    const now = spot(e);
    view.x += before[0] - now[0]; view.y += before[1] - now[1];
    redraw(true); outline();
  };
  const size = new ResizeObserver(() => { redraw(); outline(); });
  size.observe(canvas);
  return { show, stop() { stopped = true; size.disconnect(); } };
}
