// dashboard/components/elements.js
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice("on".length), value);
    else if (value !== null && value !== void 0) element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}
function canvasOf(width, height) {
  return make("canvas", { width, height });
}
function contextOf(canvas) {
  return (
    /** @type {CanvasRenderingContext2D} */
    canvas.getContext("2d")
  );
}
function pointerAt(element, event) {
  const box = element.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

// dashboard/components/leaving.js
var LEAVING_MS = 1e4;
window.flexictLeaving ??= { leftAt: -Infinity, lastPath: location.pathname, onItsWay: false, senders: 0, listening: null };
var leaving = window.flexictLeaving;
function senderCame() {
  leaving.senders += 1;
  if (leaving.senders > 1) return;
  leaving.lastPath = location.pathname;
  leaving.listening = new AbortController();
  const until = { capture: true, signal: leaving.listening.signal };
  document.addEventListener("click", noteClick, until);
  window.addEventListener("popstate", noteReturn, until);
}
function senderGone() {
  leaving.senders -= 1;
  if (leaving.senders === 0) leaving.listening?.abort();
}
function askFrom(since, send) {
  if (leaving.leftAt > since && performance.now() - leaving.leftAt < LEAVING_MS) return;
  leaving.lastPath = location.pathname;
  send();
  leaving.onItsWay = true;
  setTimeout(() => {
    leaving.onItsWay = false;
  });
}
function linkOf(event) {
  const link = event.composedPath().find((one) => one instanceof HTMLAnchorElement);
  const elsewhere = event.ctrlKey || event.metaKey || event.shiftKey || link?.target && link.target !== "_self";
  if (!link || elsewhere || link.hasAttribute("download")) return null;
  return link.origin === location.origin && link.pathname !== location.pathname ? link : null;
}
function noteClick(event) {
  const link = linkOf(event);
  if (!link) return;
  leaving.leftAt = performance.now();
  if (!leaving.onItsWay) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  setTimeout(() => link.click());
}
function noteReturn() {
  if (location.pathname !== leaving.lastPath) leaving.leftAt = performance.now();
}

// dashboard/components/point_map/camera.js
var MARGIN_PX = 20;
var MOST_ZOOM = 400;
var WHOLE = { scale: 1, x: 0, y: 0 };
var Camera = class {
  /**
   * One unit of the map is as long across as it is high.
   * @param {Bounds} bounds
   * @param {Size} size
   * @param {Readonly<Zoom>} zoom
   */
  constructor([x0, x1, y0, y1], size, zoom) {
    const fitted = Math.min((size.width - 2 * MARGIN_PX) / (x1 - x0 || 1), (size.height - 2 * MARGIN_PX) / (y1 - y0 || 1));
    this.size = size;
    this.zoom = zoom;
    this.scale = fitted * zoom.scale;
    this.x = (x0 + x1) / 2 + zoom.x;
    this.y = (y0 + y1) / 2 + zoom.y;
  }
  /**
   * @param {number} x
   * @param {number} y
   * @returns {[number, number]}
   */
  toScreen(x, y) {
    return [(x - this.x) * this.scale + this.size.width / 2, this.size.height / 2 - (y - this.y) * this.scale];
  }
  /**
   * @param {number} px
   * @param {number} py
   * @returns {[number, number]}
   */
  toMap(px, py) {
    return [(px - this.size.width / 2) / this.scale + this.x, (this.size.height / 2 - py) / this.scale + this.y];
  }
  /**
   * The rectangle of a part of the map.
   * @param {Bounds} bounds
   */
  rectangle([x0, x1, y0, y1]) {
    const [left, top] = this.toScreen(x0, y1);
    const [right, bottom] = this.toScreen(x1, y0);
    return { left, top, right, bottom };
  }
  /**
   * The part of the map that is on the screen.
   * @returns {Bounds}
   */
  viewport() {
    const [x0, y1] = this.toMap(0, 0);
    const [x1, y0] = this.toMap(this.size.width, this.size.height);
    return [x0, x1, y0, y1];
  }
  /**
   * Closer by a factor; what is at the pixel stays there.
   * @param {number} factor
   * @param {number} px
   * @param {number} py
   * @returns {Readonly<Zoom>}
   */
  zoomed(factor, px, py) {
    const scale = Math.min(MOST_ZOOM, Math.max(1, this.zoom.scale * factor));
    if (scale === 1) return WHOLE;
    const nearer = 1 / this.scale - this.zoom.scale / (scale * this.scale);
    return {
      scale,
      x: this.zoom.x + (px - this.size.width / 2) * nearer,
      y: this.zoom.y + (this.size.height / 2 - py) * nearer
    };
  }
  /**
   * What was at a pixel is dx to the right of it, and dy below.
   * @param {number} dx
   * @param {number} dy
   * @returns {Zoom}
   */
  moved(dx, dy) {
    return { ...this.zoom, x: this.zoom.x - dx / this.scale, y: this.zoom.y + dy / this.scale };
  }
};
function placed({ x, y }, view, camera) {
  const { left, top, right, bottom } = camera.rectangle(view);
  const kx = (right - left) / 65535;
  const ky = (bottom - top) / 65535;
  const xs = new Float32Array(x.length);
  const ys = new Float32Array(x.length);
  for (let i = 0; i < x.length; i++) {
    xs[i] = left + x[i] * kx;
    ys[i] = bottom - y[i] * ky;
  }
  return { xs, ys };
}
function radiusOf(n) {
  if (n <= 500) return 5;
  if (n <= 5e3) return 3.5;
  return n <= 3e4 ? 2 : 1.3;
}

// dashboard/components/browser_payload.js
var NUMBERS = { uint8: Uint8Array, uint16: Uint16Array, int16: Int16Array };
function readFrame(data) {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  return { header, body: bytes.subarray(4 + length) };
}
async function readArrays(data) {
  const { header, body } = readFrame(data);
  const arrays = {};
  for (const { name, type, offset, length, deflated } of header.arrays) {
    const sent = body.slice(offset, offset + length);
    const raw = deflated ? await inflate(sent) : sent.buffer;
    arrays[name] = type === "json" ? JSON.parse(new TextDecoder().decode(raw)) : new NUMBERS[type](raw);
  }
  return { header, arrays };
}
function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

// dashboard/components/point_map/contents.js
async function readContents(data) {
  const contents = await readArrays(data);
  return (
    /** @type {Contents} */
    { mode: contents.header.mode, ...contents }
  );
}

// dashboard/components/point_map/drawing.js
var SHAPED_POINTS = 12e3;
function rgb(hex) {
  const number = parseInt(hex.slice(1), 16);
  return [number >> 16 & 255, number >> 8 & 255, number & 255];
}
function tracePath(context, symbol, x, y, r) {
  const polygon = (corners) => {
    for (const [dx, dy] of corners) context.lineTo(x + dx * r, y + dy * r);
    context.closePath();
  };
  context.beginPath();
  if (symbol === "square") polygon([[-0.85, -0.85], [0.85, -0.85], [0.85, 0.85], [-0.85, 0.85]]);
  else if (symbol === "triangle-up") polygon([[0, -1.1], [1, 0.8], [-1, 0.8]]);
  else if (symbol === "triangle-down") polygon([[0, 1.1], [1, -0.8], [-1, -0.8]]);
  else if (symbol === "diamond") polygon([[0, -1.15], [1.15, 0], [0, 1.15], [-1.15, 0]]);
  else if (symbol === "pentagon") polygon([0, 1, 2, 3, 4].map((i) => [Math.sin(i * 1.2566), -Math.cos(i * 1.2566)]));
  else if (symbol === "cross" || symbol.startsWith("x")) {
    const a = 0.38;
    const arms = [[-a, -1], [a, -1], [a, -a], [1, -a], [1, a], [a, a], [a, 1], [-a, 1], [-a, a], [-1, a], [-1, -a], [-a, -a]];
    const turn = symbol === "cross" ? 0 : Math.PI / 4;
    polygon(arms.map(([p, q]) => [p * Math.cos(turn) - q * Math.sin(turn), p * Math.sin(turn) + q * Math.cos(turn)]));
  } else context.arc(x, y, r, 0, 2 * Math.PI);
}
function stamp(group, radius, ratio, rim) {
  const edge = Math.ceil((radius + 2) * 2 * ratio);
  const canvas = canvasOf(edge, edge);
  const context = contextOf(canvas);
  context.scale(ratio, ratio);
  tracePath(context, group.symbol, edge / ratio / 2, edge / ratio / 2, radius);
  context.fillStyle = group.colour;
  context.fill();
  context.globalAlpha = 0.65;
  context.lineWidth = 1;
  context.strokeStyle = rim;
  context.stroke();
  return canvas;
}
function drawPoints(context, scene) {
  (onScreen(scene) <= SHAPED_POINTS ? drawShapes : drawPixels)(context, scene);
}
function onScreen({ xs, ys, width, height }) {
  let count = 0;
  for (let i = 0; i < xs.length; i++) if (xs[i] >= 0 && ys[i] >= 0 && xs[i] <= width && ys[i] <= height) count++;
  return count;
}
function drawShapes(context, scene) {
  const { xs, ys, codes, order, groups, radius, ratio, selected, anySelected, ink, width, height } = scene;
  const stamps = groups.map((group) => stamp(group, radius, ratio, ink));
  const half = stamps.length ? stamps[0].width / ratio / 2 : 0;
  for (const faded of anySelected ? [true, false] : [false]) {
    context.globalAlpha = faded ? 0.22 : 1;
    for (const i of order) {
      if (anySelected && selected[i] === 1 === faded) continue;
      const x = xs[i];
      const y = ys[i];
      if (x < -half || y < -half || x > width + half || y > height + half) continue;
      context.drawImage(stamps[codes[i]], x - half, y - half, half * 2, half * 2);
    }
  }
  context.globalAlpha = 1;
  if (!anySelected) return;
  context.lineWidth = 2;
  context.strokeStyle = ink;
  for (const i of order) {
    if (selected[i] !== 1) continue;
    context.beginPath();
    context.arc(xs[i], ys[i], radius + 2.5, 0, 2 * Math.PI);
    context.stroke();
  }
}
function drawPixels(context, scene) {
  const { width, height } = context.canvas;
  const layer = canvasOf(width, height);
  const layerContext = contextOf(layer);
  const image = layerContext.createImageData(width, height);
  fillSquares(new Uint32Array(image.data.buffer), width, height, scene);
  layerContext.putImageData(image, 0, 0);
  context.save();
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.drawImage(layer, 0, 0);
  context.restore();
}
function fillSquares(pixels, width, height, { xs, ys, codes, groups, ratio, selected, anySelected, radius }) {
  const inks = groups.map((group) => {
    const [r, g, b] = rgb(group.colour);
    return b << 16 | g << 8 | r;
  });
  const edge = Math.max(2, Math.round(radius * 2 * ratio * 0.8));
  for (const faded of anySelected ? [true, false] : [false]) {
    const alpha = (faded ? 60 : 235) << 24;
    for (let i = 0; i < xs.length; i++) {
      if (anySelected && selected[i] === 1 === faded) continue;
      const left = Math.round(xs[i] * ratio - edge / 2);
      const top = Math.round(ys[i] * ratio - edge / 2);
      if (left < 0 || top < 0 || left + edge > width || top + edge > height) continue;
      const ink = (inks[codes[i]] | alpha) >>> 0;
      for (let row = top; row < top + edge; row++) pixels.fill(ink, row * width + left, row * width + left + edge);
    }
  }
}
function drawDensity(context, scene, { left, top, right, bottom }) {
  const layer = canvasOf(scene.columns, scene.rows);
  const layerContext = contextOf(layer);
  const image = layerContext.createImageData(scene.columns, scene.rows);
  image.data.set(densityPixels(scene));
  layerContext.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(layer, left, top, right - left, bottom - top);
}
function densityPixels({ counts, group, share, groups, anySelected }) {
  const pixels = new Uint8ClampedArray(4 * counts.length);
  const inks = groups.map((one) => rgb(one.colour));
  for (let cell = 0; cell < counts.length; cell++) {
    if (!counts[cell]) continue;
    const shown = anySelected ? 0.15 + 0.85 * (share[cell] / 255) : 1;
    pixels.set([...inks[group[cell]], Math.round((90 + 165 * (counts[cell] / 255)) * shown)], cell * 4);
  }
  return pixels;
}

// dashboard/components/point_map/frame.js
var TOOLS = [["lasso", "Lasso"], ["box", "Box"], ["move", "Move"]];
var Frame = class {
  /**
   * @param {object} acts
   * @param {(factor: number) => void} acts.zoom
   * @param {() => void} acts.whole
   */
  constructor({ zoom, whole }) {
    this.tool = "lasso";
    this.tools = TOOLS.map(([name, words]) => make("button", { class: "tool", type: "button", "data-tool": name, onclick: () => this.useTool(name) }, words));
    const button = (words, label, act) => make("button", { class: "tool", type: "button", "aria-label": label, onclick: act }, words);
    this.note = make("span", { class: "note" });
    this.canvas = make("canvas", { class: "points", tabindex: 0, role: "img" });
    this.overlay = make("canvas", { class: "overlay" });
    this.tip = make("div", { class: "tip", hidden: "" });
    this.axisX = make("div", { class: "axis-x" });
    this.axisY = make("div", { class: "axis-y" });
    this.stage = make("div", { class: "stage" }, this.canvas, this.overlay, this.tip, this.axisX, this.axisY);
    this.legend = make("div", { class: "legend" });
    this.footer = make("p", { class: "footer" });
    this.live = make("p", { class: "live", "aria-live": "polite" });
    this.root = make(
      "div",
      { class: "map" },
      make(
        "div",
        { class: "bar", role: "toolbar", "aria-label": "Map tools" },
        ...this.tools,
        button("+", "Zoom in", () => zoom(1.5)),
        button("−", "Zoom out", () => zoom(1 / 1.5)),
        button("Whole map", "Show the whole map", whole),
        this.note
      ),
      make("div", { class: "body" }, this.stage, this.legend),
      this.footer,
      this.live
    );
    this.useTool("lasso");
  }
  /** @param {Tool} name */
  useTool(name) {
    this.tool = name;
    for (const one of this.tools) one.setAttribute("aria-pressed", String(one.dataset.tool === name));
    this.canvas.style.cursor = name === "move" ? "grab" : "crosshair";
  }
  /**
   * The words of a map, and its legend.
   * @param {Words} words
   * @param {(group: string, event: MouseEvent) => void} pickGroup
   */
  describe({ alt, axes, footer, note, colour, ramp, legend }, pickGroup) {
    this.canvas.setAttribute("aria-label", `${alt}. Arrow keys go from point to point, Enter selects, + and − zoom, Escape drops a drawing.`);
    this.axisX.textContent = axes[0];
    this.axisY.textContent = axes[1];
    this.footer.textContent = footer || "";
    this.note.textContent = note || "";
    const rim = textColour(this.canvas);
    this.legend.replaceChildren(
      make("strong", { class: "legend-title" }, colour),
      ...ramp ? [rampScale(ramp)] : [],
      ...legend.map((group) => entry(group, rim, pickGroup))
    );
  }
};
function textColour(element) {
  return getComputedStyle(element).getPropertyValue("--st-text-color") || "black";
}
function rampScale({ colours, ticks }) {
  const band = make("div", { class: "band" });
  band.style.background = `linear-gradient(to top, ${colours.join(",")})`;
  return make("div", { class: "ramp" }, band, ...ticks.map(([at, words]) => {
    const tick = make("span", { class: "tick" }, words);
    tick.style.bottom = `calc(${at * 100}% - 0.6em)`;
    return tick;
  }));
}
function entry({ name, symbol, colour, count }, rim, pickGroup) {
  const icon = canvasOf(28, 28);
  const context = contextOf(icon);
  tracePath(context, symbol, 14, 14, 9);
  context.fillStyle = colour;
  context.fill();
  context.globalAlpha = 0.65;
  context.strokeStyle = rim;
  context.stroke();
  return make("button", {
    class: "entry",
    type: "button",
    title: `Select ${name}`,
    "aria-label": `Select ${name}, ${count} items`,
    onclick: (event) => pickGroup(name, event)
  }, icon, make("span", { class: "name" }, name), make("span", { class: "count" }, `n = ${count.toLocaleString("en")}`));
}

// dashboard/components/point_map/selection.js
var MOST_CORNERS = 80;
function inPolygon(x, y, corners) {
  let inside = false;
  let [xj, yj] = corners[corners.length - 1] ?? [0, 0];
  for (const [xi, yi] of corners) {
    if (yi > y !== yj > y && x < (xj - xi) * (y - yi) / (yj - yi) + xi) inside = !inside;
    [xj, yj] = [xi, yi];
  }
  return inside;
}
function boxCorners([x0, y0], [x1, y1]) {
  return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
}
function lassoCorners(path) {
  const step = Math.max(1, Math.ceil(path.length / MOST_CORNERS));
  return path.filter((_, i) => i % step === 0);
}
function modeOf({ shiftKey, altKey }) {
  if (shiftKey) return "add";
  return altKey ? "subtract" : "replace";
}
function selectWithin(selected, xs, ys, corners, mode) {
  let count = 0;
  for (let i = 0; i < xs.length; i++) {
    const inside = inPolygon(xs[i], ys[i], corners);
    if (mode === "replace") selected[i] = inside ? 1 : 0;
    else if (inside) selected[i] = mode === "add" ? 1 : 0;
    count += selected[i];
  }
  return count;
}
function unpacked(bits, n) {
  const bytes = new Uint8Array(n);
  for (let i = 0; i < n; i++) bytes[i] = bits[i >> 3] >> 7 - (i & 7) & 1;
  return bytes;
}
function rarestLast(codes) {
  const counts = new Array(256).fill(0);
  for (const code of codes) counts[code]++;
  const places = new Array(256).fill(0);
  let next = 0;
  for (const code of [...counts.keys()].sort((a, b) => counts[b] - counts[a])) {
    places[code] = next;
    next += counts[code];
  }
  const order = new Uint32Array(codes.length);
  codes.forEach((code, i) => {
    order[places[code]++] = i;
  });
  return order;
}
function nearest(xs, ys, px, py, within) {
  let best = -1;
  let least = within * within;
  for (let i = 0; i < xs.length; i++) {
    const dx = xs[i] - px;
    const dy = ys[i] - py;
    const distance = dx * dx + dy * dy;
    if (distance < least) {
      least = distance;
      best = i;
    }
  }
  return best;
}
function nextPoint(xs, ys, from, [dx, dy]) {
  let best = from;
  let least = Infinity;
  for (let i = 0; i < xs.length; i++) {
    const x = xs[i] - xs[from];
    const y = ys[i] - ys[from];
    const ahead = x * dx + y * dy;
    const aside = Math.abs(x * dy) + Math.abs(y * dx);
    if (ahead > 0.5 && ahead >= aside && ahead + 2 * aside < least) {
      least = ahead + 2 * aside;
      best = i;
    }
  }
  return best;
}
function pointsNear(xs, ys, point, take, { within, most }) {
  const near = [];
  for (let i = 0; i < xs.length; i++) {
    const distance = Math.hypot(xs[i] - xs[point], ys[i] - ys[point]);
    if (distance < within && take(i)) near.push([distance, i]);
  }
  return near.sort((a, b) => a[0] - b[0]).slice(0, most).map(([, i]) => i);
}

// dashboard/components/point_map/gestures.js
var CLICK_PX = 4;
var CLICK_TURNS = 12;
var STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
function isClick(path, end) {
  return Math.hypot(end[0] - path[0][0], end[1] - path[0][1]) < CLICK_PX && path.length < CLICK_TURNS;
}
function listen(frame, map2) {
  const { canvas, overlay } = frame;
  let drag = null;
  const at = (event) => pointerAt(canvas, event);
  const drop = () => {
    drag = null;
    contextOf(overlay).clearRect(0, 0, overlay.width, overlay.height);
  };
  const corners = (path) => frame.tool === "box" ? boxCorners(path[0], path[path.length - 1]) : lassoCorners(path);
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    map2.hideTip();
    map2.zoomAround(Math.exp(-event.deltaY / 400), at(event));
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    drag = { path: [at(event)], last: at(event) };
    map2.hideTip();
  });
  canvas.addEventListener("pointermove", (event) => {
    const here = at(event);
    if (!drag) {
      map2.hover(here);
      return;
    }
    if (frame.tool === "move") {
      map2.pan(here[0] - drag.last[0], here[1] - drag.last[1]);
      drag.last = here;
      return;
    }
    drag.path.push(here);
    sketch(canvas, overlay, map2.ratio, corners(drag.path));
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!drag) return;
    const { path } = drag;
    drop();
    const shape = corners(path);
    if (isClick(path, at(event))) map2.pickNearest(at(event), modeOf(event));
    else if (frame.tool !== "move" && shape.length > 2) map2.pickShape(frame.tool, shape, modeOf(event));
  });
  canvas.addEventListener("pointercancel", drop);
  canvas.addEventListener("pointerleave", () => {
    if (!drag) map2.hideTip();
  });
  canvas.addEventListener("dblclick", () => map2.showWhole());
  canvas.addEventListener("blur", () => map2.leavePoint());
  canvas.addEventListener("keydown", (event) => {
    const actions = {
      Escape: () => {
        drop();
        map2.leavePoint();
      },
      "+": () => map2.zoomAround(1.4),
      "=": () => map2.zoomAround(1.4),
      "-": () => map2.zoomAround(1 / 1.4),
      0: () => map2.showWhole()
    };
    if (map2.focusPoint >= 0) actions.Enter = () => map2.pickPoint(map2.focusPoint, modeOf(event));
    const step = STEPS[event.key];
    const action = step && map2.points ? () => map2.step(step) : actions[event.key];
    if (!action) return;
    action();
    event.preventDefault();
  });
}
function sketch(canvas, overlay, ratio, corners) {
  const context = contextOf(overlay);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, overlay.width, overlay.height);
  const style = getComputedStyle(canvas);
  context.beginPath();
  for (const [x, y] of corners) context.lineTo(x, y);
  context.closePath();
  context.globalAlpha = 0.15;
  context.fillStyle = style.getPropertyValue("--st-primary-color");
  context.fill();
  context.globalAlpha = 1;
  context.setLineDash([5, 4]);
  context.lineWidth = 1.5;
  context.strokeStyle = style.getPropertyValue("--st-text-color");
  context.stroke();
}

// dashboard/components/point_map/thumbnails.js
var WANTED = "flexict-pictures-wanted";
var CAME = "flexict-pictures";
function thumbnails() {
  window.flexictPictures ??= /* @__PURE__ */ new Map();
  return window.flexictPictures;
}
function askForThumbnails(items) {
  window.dispatchEvent(new CustomEvent(WANTED, { detail: items }));
}
function onThumbnails(act) {
  window.addEventListener(CAME, act);
  return () => window.removeEventListener(CAME, act);
}

// dashboard/components/point_map/tip.js
var BESIDE_PX = 14;
var WIDEST_PX = 300;
function tipContents({ ids, fields }, point, picture) {
  const rows = fields.map(([name, values, codes]) => make(
    "div",
    { class: "field" },
    make("span", { class: "key" }, name),
    make("span", { class: "value" }, values[codes[point]])
  ));
  const id = make("div", { class: "id" }, ids[point]);
  return picture ? [make("img", { src: picture, alt: "" }), id, ...rows] : [id, ...rows];
}
function tipPlace(x, y, map2, tip) {
  const left = x > map2.width - WIDEST_PX ? x - BESIDE_PX - tip.width : x + BESIDE_PX;
  const top = Math.min(Math.max(4, y - 40), map2.height - tip.height - 4);
  return [Math.round(left), Math.round(top)];
}

// dashboard/components/point_map/point_map.js
var HEIGHT = 560;
var NEAR_PX = 14;
var THUMBNAILS = { within: 160, most: 36 };
var ASK_AFTER_MS = 160;
var PointMap = class {
  /** @param {HTMLElement | ShadowRoot} root */
  constructor(root) {
    this.root = root;
    this.since = performance.now();
    senderCame();
    this.size = { width: 0, height: HEIGHT };
    this.ratio = 1;
    this.zoom = WHOLE;
    this.contents = null;
    this.xs = new Float32Array();
    this.ys = new Float32Array();
    this.selected = new Uint8Array();
    this.order = new Uint32Array();
    this.anySelected = false;
    this.focusPoint = -1;
    this.tipPoint = -1;
    this.turn = 0;
    this.drawing = 0;
    this.hovering = 0;
    this.asking = void 0;
    this.lastData = void 0;
    this.send = () => {
    };
    this.setState = () => {
    };
    this.frame = new Frame({ zoom: (factor) => this.zoomAround(factor), whole: () => this.showWhole() });
    root.append(this.frame.root);
    listen(this.frame, this);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.frame.stage);
    this.stopListening = onThumbnails(() => {
      if (!this.frame.tip.hidden && this.tipPoint >= 0) this.showTip(this.tipPoint);
    });
  }
  destroy() {
    senderGone();
    this.observer.disconnect();
    this.stopListening();
  }
  // ---- What is shown
  /** @param {Component} component */
  async update({ data, setTriggerValue, setStateValue }) {
    this.send = setTriggerValue;
    this.setState = setStateValue;
    if (this.lastData === data) {
      this.draw();
      return;
    }
    this.lastData = data;
    this.turn += 1;
    const { turn } = this;
    const contents = await readContents(data);
    if (turn !== this.turn) return;
    const { header } = contents;
    const sameMap = this.contents?.header.token === header.token;
    this.contents = contents;
    if (!sameMap) {
      this.zoom = WHOLE;
      this.leavePoint();
    }
    this.anySelected = header.n_selected > 0;
    if (contents.mode === "points") this.takePoints(contents.arrays, sameMap && !header.binned);
    this.frame.describe(header, (group, event) => this.pick({ kind: "group", group }, modeOf(event)));
    this.draw();
    Object.assign(hostOf(this.root).dataset, {
      mapPainted: String(performance.now()),
      mapSelected: String(header.n_selected),
      mapMode: header.mode
    });
  }
  /**
   * @param {import("./contents.js").Points} points
   * @param {boolean} samePoints
   */
  takePoints({ x, code, selected }, samePoints) {
    this.selected = unpacked(selected, x.length);
    if (!samePoints || this.order.length !== x.length) this.order = rarestLast(code);
  }
  /** The arrays of the points; null where a density is shown. */
  get points() {
    return this.contents?.mode === "points" ? this.contents.arrays : null;
  }
  /** Null until there is something to show, and a width to show it in. */
  get camera() {
    return this.contents && this.size.width ? new Camera(this.contents.header.bounds, this.size, this.zoom) : null;
  }
  resize() {
    const width = this.frame.stage.clientWidth;
    if (!width || width === this.size.width) return;
    this.size = { width, height: HEIGHT };
    this.ratio = Math.min(2, window.devicePixelRatio || 1);
    for (const canvas of [this.frame.canvas, this.frame.overlay]) {
      canvas.width = Math.round(width * this.ratio);
      canvas.height = Math.round(HEIGHT * this.ratio);
      canvas.style.height = `${HEIGHT}px`;
    }
    this.draw();
  }
  draw() {
    const { contents, camera, ratio, size } = this;
    if (!contents || !camera) return;
    const context = contextOf(this.frame.canvas);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, size.width, size.height);
    const { groups, view, n_selected } = contents.header;
    if (contents.mode === "density") {
      const { columns, rows } = contents.header;
      drawDensity(context, { ...contents.arrays, ...size, groups, ratio, columns, rows, anySelected: n_selected > 0 }, camera.rectangle(view));
    } else {
      Object.assign(this, placed(contents.arrays, view, camera));
      const { xs, ys, order, selected, anySelected } = this;
      drawPoints(context, {
        ...size,
        groups,
        ratio,
        xs,
        ys,
        order,
        selected,
        anySelected,
        codes: contents.arrays.code,
        radius: radiusOf(xs.length / this.zoom.scale ** 2),
        ink: textColour(this.frame.canvas)
      });
    }
    if (this.focusPoint >= 0) this.showTip(this.focusPoint);
  }
  redrawSoon() {
    this.drawing ||= requestAnimationFrame(() => {
      this.drawing = 0;
      this.draw();
    });
  }
  // ---- Where one looks
  /**
   * @param {number} factor
   * @param {Pair} [at] what stays where it is; the middle where it is not given
   */
  zoomAround(factor, at = [this.size.width / 2, this.size.height / 2]) {
    if (this.camera) this.show(this.camera.zoomed(factor, ...at));
  }
  /**
   * @param {number} dx
   * @param {number} dy
   */
  pan(dx, dy) {
    if (this.camera) this.show(this.camera.moved(dx, dy));
  }
  showWhole() {
    this.show(WHOLE);
  }
  /** @param {Readonly<Zoom>} zoom */
  show(zoom) {
    this.zoom = zoom;
    this.redrawSoon();
    if (!this.contents?.header.binned) return;
    clearTimeout(this.asking);
    this.asking = setTimeout(() => {
      const viewport = this.camera?.viewport();
      if (viewport) askFrom(this.since, () => this.setState("viewport", viewport));
    }, ASK_AFTER_MS);
  }
  // ---- What is selected
  /**
   * @param {Pair} at
   * @param {Mode} mode
   */
  pickNearest([x, y], mode) {
    const point = this.points ? nearest(this.xs, this.ys, x, y, NEAR_PX) : -1;
    if (point >= 0) this.pickPoint(point, mode);
  }
  /**
   * @param {number} point
   * @param {Mode} mode
   */
  pickPoint(point, mode) {
    if (this.points) this.pick({ kind: "item", item: this.points.text.ids[point] }, mode);
  }
  /**
   * @param {"lasso" | "box"} kind
   * @param {Pair[]} corners on the screen
   * @param {Mode} mode
   */
  pickShape(kind, corners, mode) {
    const { camera } = this;
    if (!camera) return;
    if (this.points) {
      this.anySelected = selectWithin(this.selected, this.xs, this.ys, corners, mode) > 0;
      this.redrawSoon();
    }
    this.pick({ kind, polygon: corners.map(([x, y]) => camera.toMap(x, y)) }, mode);
  }
  /**
   * @param {Pick} what
   * @param {Mode} mode
   */
  pick(what, mode) {
    const token = this.contents?.header.token;
    if (token !== void 0) askFrom(this.since, () => this.send("picked", { ...what, mode, token }));
  }
  // ---- The point under the pointer, and the one that the arrow keys went to
  /** @param {Pair} at */
  hover([x, y]) {
    this.hovering ||= requestAnimationFrame(() => {
      this.hovering = 0;
      const point = this.points ? nearest(this.xs, this.ys, x, y, NEAR_PX) : -1;
      if (point < 0) this.hideTip();
      else this.showTip(point);
    });
  }
  /** @param {Pair} direction */
  step(direction) {
    this.focusPoint = this.focusPoint < 0 ? nearest(this.xs, this.ys, this.size.width / 2, this.size.height / 2, 1e6) : nextPoint(this.xs, this.ys, this.focusPoint, direction);
    if (this.focusPoint < 0) return;
    this.showTip(this.focusPoint);
    this.frame.live.textContent = this.frame.tip.innerText.replace(/\n+/g, ", ");
  }
  leavePoint() {
    this.focusPoint = -1;
    this.hideTip();
  }
  hideTip() {
    this.frame.tip.hidden = true;
  }
  /** @param {number} point */
  showTip(point) {
    if (!this.contents || !this.points) return;
    this.tipPoint = point;
    const { tip } = this.frame;
    const { store } = this.contents.header;
    const { ids } = this.points.text;
    const lacks = (one) => !thumbnails().has(store + ids[one]);
    if (lacks(point)) askForThumbnails(pointsNear(this.xs, this.ys, point, lacks, THUMBNAILS).map((one) => ids[one]));
    tip.replaceChildren(...tipContents(this.points.text, point, thumbnails().get(store + ids[point])));
    tip.hidden = false;
    const [left, top] = tipPlace(this.xs[point], this.ys[point], this.size, { width: tip.offsetWidth, height: tip.offsetHeight });
    tip.style.transform = `translate(${left}px, ${top}px)`;
  }
};
function hostOf(root) {
  return root instanceof ShadowRoot ? (
    /** @type {HTMLElement} */
    root.host
  ) : root;
}
function map(component) {
  const root = (
    /** @type {(HTMLElement | ShadowRoot) & {pointMap?: PointMap}} */
    component.parentElement
  );
  root.pointMap ??= new PointMap(root);
  root.pointMap.update(component);
  return () => setTimeout(() => {
    if (hostOf(root).isConnected || !root.pointMap) return;
    root.pointMap.destroy();
    root.pointMap = void 0;
  });
}
export {
  PointMap,
  map as default
};
