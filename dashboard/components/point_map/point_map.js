// The map: wheel and drag move it, a lasso, a box or a click selects, and the selection is sent as a shape or an id.
const HEIGHT = 560;
const CLICK_PX = 4;
const NEAR_PX = 14;
const MOST_CORNERS = 80;
const MOST_ZOOM = 400;
const WANTED_AT_ONCE = 36;

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function inPolygon(x, y, corners) {
  let inside = false;
  for (let i = 0, j = corners.length - 1; i < corners.length; j = i++) {
    const [xi, yi] = corners[i], [xj, yj] = corners[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

class PointMap {
  constructor(root) {
    this.root = root;
    this.tool = "lasso";
    this.zoom = { scale: 1, x: 0, y: 0 };
    this.pictures = (window.flexictPictures ??= new Map());
    this.focusPoint = -1;
    this.build();
    this.listen();
  }

  build() {
    const frame = element("div", "map");
    const bar = element("div", "bar");
    bar.setAttribute("role", "toolbar");
    bar.setAttribute("aria-label", "Map tools");
    this.buttons = {};
    for (const [name, words] of [["lasso", "Lasso"], ["box", "Box"], ["move", "Move"]]) {
      const button = element("button", "tool", words);
      button.type = "button";
      button.addEventListener("click", () => this.useTool(name));
      this.buttons[name] = button;
      bar.append(button);
    }
    for (const [words, label, act] of [
      ["+", "Zoom in", () => this.zoomAround(1.5)],
      ["−", "Zoom out", () => this.zoomAround(1 / 1.5)],
      ["Whole map", "Show the whole map", () => this.resetView()],
    ]) {
      const button = element("button", "tool", words);
      button.type = "button";
      button.setAttribute("aria-label", label);
      button.addEventListener("click", act);
      bar.append(button);
    }
    this.note = element("span", "note");
    bar.append(this.note);
    this.body = element("div", "body");
    this.stage = element("div", "stage");
    this.canvas = element("canvas", "points");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.overlay = element("canvas", "overlay");
    this.tip = element("div", "tip");
    this.tip.hidden = true;
    this.axisX = element("div", "axis-x");
    this.axisY = element("div", "axis-y");
    this.stage.append(this.canvas, this.overlay, this.tip, this.axisX, this.axisY);
    this.legend = element("div", "legend");
    this.body.append(this.stage, this.legend);
    this.footer = element("p", "footer");
    this.live = element("p", "live");
    this.live.setAttribute("aria-live", "polite");
    frame.append(bar, this.body, this.footer, this.live);
    this.root.append(frame);
    this.useTool("lasso");
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.stage);
  }

  destroy() {
    this.observer.disconnect();
    window.removeEventListener("flexict-pictures", this.onPictures);
  }

  useTool(name) {
    this.tool = name;
    for (const [key, button] of Object.entries(this.buttons)) button.setAttribute("aria-pressed", String(key === name));
    this.canvas.style.cursor = name === "move" ? "grab" : "crosshair";
  }

  async update({ data, setTriggerValue, setStateValue }) {
    this.send = setTriggerValue;
    this.setState = setStateValue;
    if (this.lastData === data) return this.draw();
    this.lastData = data;
    const turn = (this.turn = (this.turn ?? 0) + 1);
    const { header, arrays } = await decodePayload(data);
    if (turn !== this.turn) return;
    const sameMap = this.header && this.header.token === header.token;
    this.header = header;
    this.arrays = arrays;
    this.bounds = header.bounds;
    if (!sameMap) {
      this.zoom = { scale: 1, x: 0, y: 0 };
      this.focusPoint = -1;
      this.tip.hidden = true;
    }
    this.prepare(sameMap && this.order && this.order.length === arrays.x?.length);
    this.describe();
    this.draw();
    // For whoever drives the page from outside: what is shown now.
    const said = (this.root.host ?? this.root).dataset;
    Object.assign(said, { mapPainted: String(performance.now()), mapSelected: String(header.n_selected), mapMode: header.mode });
  }

  prepare(sameOrder) {
    const { header, arrays } = this;
    const bits = arrays.selected;
    if (header.mode === "points") {
      const n = arrays.x.length;
      this.selected = new Uint8Array(n);
      for (let i = 0; i < n; i++) this.selected[i] = (bits[i >> 3] >> (7 - (i & 7))) & 1;
      this.anySelected = header.n_selected > 0;
      if (sameOrder && !header.binned) return;
      // The rarest last, so that few points are not buried under many.
      const counts = new Array(256).fill(0);
      for (const code of arrays.code) counts[code]++;
      const places = new Array(256).fill(0);
      let next = 0;
      for (const code of [...counts.keys()].sort((a, b) => counts[b] - counts[a])) { places[code] = next; next += counts[code]; }
      this.order = new Uint32Array(n);
      for (let i = 0; i < n; i++) this.order[places[arrays.code[i]]++] = i;
    }
  }

  describe() {
    const { header } = this;
    this.canvas.setAttribute("aria-label", `${header.alt}. Arrow keys go from point to point, Enter selects, + and − zoom, Escape drops a drawing.`);
    this.axisX.textContent = header.axes[0];
    this.axisY.textContent = header.axes[1];
    this.footer.textContent = header.footer || "";
    this.note.textContent = header.note || "";
    this.legend.replaceChildren(element("strong", "legend-title", header.colour));
    if (header.ramp) {
      const scale = element("div", "ramp");
      const band = element("div", "band");
      band.style.background = `linear-gradient(to top, ${header.ramp.colours.join(",")})`;
      scale.append(band);
      for (const [at, words] of header.ramp.ticks) {
        const tick = element("span", "tick", words);
        tick.style.bottom = `calc(${at * 100}% - 0.6em)`;
        scale.append(tick);
      }
      this.legend.append(scale);
    }
    header.legend.forEach((group) => {
      const button = element("button", "entry");
      button.type = "button";
      const icon = element("canvas");
      icon.width = icon.height = 28;
      const context = icon.getContext("2d");
      tracePath(context, group.symbol, 14, 14, 9);
      context.fillStyle = group.colour;
      context.fill();
      context.globalAlpha = 0.65;
      context.strokeStyle = getComputedStyle(this.canvas).getPropertyValue("--st-text-color") || "black";
      context.stroke();
      button.append(icon, element("span", "name", group.name), element("span", "count", `n = ${group.count.toLocaleString("en")}`));
      button.title = `Select ${group.name}`;
      button.setAttribute("aria-label", `Select ${group.name}, ${group.count} items`);
      button.addEventListener("click", (event) => this.pick({ kind: "group", group: group.name }, event));
      this.legend.append(button);
    });
  }

  resize() {
    const width = this.stage.clientWidth;
    if (!width || width === this.width) return;
    this.width = width;
    this.height = HEIGHT;
    this.ratio = Math.min(2, window.devicePixelRatio || 1);
    for (const canvas of [this.canvas, this.overlay]) {
      canvas.width = Math.round(width * this.ratio);
      canvas.height = Math.round(HEIGHT * this.ratio);
      canvas.style.height = `${HEIGHT}px`;
    }
    this.draw();
  }

  // One unit of the map is as long across as it is high.
  fit() {
    const [x0, x1, y0, y1] = this.bounds;
    const scale = Math.min((this.width - 40) / (x1 - x0 || 1), (this.height - 40) / (y1 - y0 || 1));
    return { scale, cx: (x0 + x1) / 2, cy: (y0 + y1) / 2 };
  }

  toScreen(x, y) {
    const { scale, cx, cy } = this.fit();
    const k = scale * this.zoom.scale;
    return [(x - cx - this.zoom.x) * k + this.width / 2, this.height / 2 - (y - cy - this.zoom.y) * k];
  }

  toMap(px, py) {
    const { scale, cx, cy } = this.fit();
    const k = scale * this.zoom.scale;
    return [(px - this.width / 2) / k + cx + this.zoom.x, (this.height / 2 - py) / k + cy + this.zoom.y];
  }

  place() {
    const { x, y } = this.arrays;
    const [x0, x1, y0, y1] = this.header.view;
    const [left, top] = this.toScreen(x0, y1);
    const [right, bottom] = this.toScreen(x1, y0);
    const kx = (right - left) / 65535, ky = (bottom - top) / 65535;
    this.xs = new Float32Array(x.length);
    this.ys = new Float32Array(x.length);
    for (let i = 0; i < x.length; i++) {
      this.xs[i] = left + x[i] * kx;
      this.ys[i] = bottom - y[i] * ky;
    }
  }

  radius() {
    const shown = this.header.mode === "points" ? this.arrays.x.length / this.zoom.scale ** 2 : 1e6;
    return shown <= 500 ? 5 : shown <= 5000 ? 3.5 : shown <= 30000 ? 2 : 1.3;
  }

  draw() {
    if (!this.header || !this.width) return;
    const style = getComputedStyle(this.canvas);
    const context = this.canvas.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    const shared = { groups: this.header.groups, ratio: this.ratio, width: this.width, height: this.height, anySelected: this.header.n_selected > 0 };
    if (this.header.mode === "density") {
      const [x0, x1, y0, y1] = this.header.view;
      const [left, top] = this.toScreen(x0, y1);
      const [right, bottom] = this.toScreen(x1, y0);
      const place = { left, top, width: right - left, height: bottom - top };
      const { counts, group, share } = this.arrays;
      drawDensity(context, { ...shared, counts, groupOf: group, share, place, columns: this.header.columns, rows: this.header.rows });
    } else {
      this.place();
      const scene = {
        ...shared, xs: this.xs, ys: this.ys, codes: this.arrays.code, order: this.order, radius: this.radius(),
        selected: this.selected, anySelected: this.anySelected,
        rim: style.getPropertyValue("--st-text-color") || "black",
        ring: style.getPropertyValue("--st-text-color") || "black",
      };
      (this.xs.length <= SHAPED_POINTS || this.onScreen() <= SHAPED_POINTS ? drawShapes : drawPixels)(context, scene);
    }
    if (this.focusPoint >= 0) this.showTip(this.focusPoint);
  }

  onScreen() {
    let count = 0;
    for (let i = 0; i < this.xs.length; i++)
      if (this.xs[i] >= 0 && this.ys[i] >= 0 && this.xs[i] <= this.width && this.ys[i] <= this.height) count++;
    return count;
  }

  redrawSoon() {
    this.pending ??= requestAnimationFrame(() => { this.pending = null; this.draw(); });
  }

  zoomAround(factor, px = this.width / 2, py = this.height / 2) {
    const before = this.toMap(px, py);
    this.zoom.scale = Math.min(MOST_ZOOM, Math.max(1, this.zoom.scale * factor));
    const after = this.toMap(px, py);
    this.zoom.x += before[0] - after[0];
    this.zoom.y += before[1] - after[1];
    if (this.zoom.scale === 1) this.zoom.x = this.zoom.y = 0;
    this.moved();
  }

  resetView() {
    this.zoom = { scale: 1, x: 0, y: 0 };
    this.moved();
  }

  moved() {
    this.redrawSoon();
    if (!this.header || !this.header.binned) return;
    clearTimeout(this.asking);
    this.asking = setTimeout(() => {
      const [x0, y1] = this.toMap(0, 0);
      const [x1, y0] = this.toMap(this.width, this.height);
      this.setState("viewport", [x0, x1, y0, y1]);
    }, 160);
  }

  listen() {
    const canvas = this.canvas;
    const at = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.tip.hidden = true;
      this.zoomAround(Math.exp(-event.deltaY / 400), ...at(event));
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      this.drag = { from: at(event), path: [at(event)], zoom: { ...this.zoom }, id: event.pointerId };
      this.tip.hidden = true;
    });
    canvas.addEventListener("pointermove", (event) => {
      const here = at(event);
      if (!this.drag) return this.hover(...here);
      if (this.tool === "move") {
        const k = this.fit().scale * this.zoom.scale;
        this.zoom.x = this.drag.zoom.x - (here[0] - this.drag.from[0]) / k;
        this.zoom.y = this.drag.zoom.y + (here[1] - this.drag.from[1]) / k;
        return this.moved();
      }
      this.drag.path.push(here);
      this.sketch();
    });
    canvas.addEventListener("pointerup", (event) => this.release(event, at(event)));
    canvas.addEventListener("pointercancel", () => this.dropDrawing());
    canvas.addEventListener("pointerleave", () => { if (!this.drag) this.tip.hidden = true; });
    canvas.addEventListener("dblclick", () => this.resetView());
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => { this.focusPoint = -1; this.tip.hidden = true; });
    this.onPictures = () => { if (!this.tip.hidden && this.tipPoint >= 0) this.showTip(this.tipPoint); };
    window.addEventListener("flexict-pictures", this.onPictures);
  }

  dropDrawing() {
    this.drag = null;
    this.overlay.getContext("2d").clearRect(0, 0, this.overlay.width, this.overlay.height);
  }

  corners() {
    const { from, path } = this.drag;
    const [x, y] = path[path.length - 1];
    if (this.tool === "box") return [from, [x, from[1]], [x, y], [from[0], y]];
    const step = Math.max(1, Math.ceil(path.length / MOST_CORNERS));
    return path.filter((_, i) => i % step === 0);
  }

  sketch() {
    const context = this.overlay.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    const style = getComputedStyle(this.canvas);
    context.beginPath();
    this.corners().forEach(([x, y], i) => context[i ? "lineTo" : "moveTo"](x, y));
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

  release(event, here) {
    if (!this.drag) return;
    const [x, y] = this.drag.from;
    const still = Math.hypot(here[0] - x, here[1] - y) < CLICK_PX && this.drag.path.length < 12;
    const shape = this.corners();
    const moved = this.tool === "move";
    this.dropDrawing();
    if (still) {
      const point = this.nearest(...here, NEAR_PX);
      if (point >= 0) this.pick({ kind: "item", item: this.arrays.text.ids[point] }, event);
    } else if (!moved && shape.length > 2) this.pick({ kind: this.tool, polygon: shape.map(([px, py]) => this.toMap(px, py)) }, event);
  }

  pick(what, event) {
    const mode = event.shiftKey ? "add" : event.altKey ? "subtract" : "replace";
    if (what.polygon && this.header.mode === "points") this.preview(what.polygon, mode);
    this.send("picked", { ...what, mode, token: this.header.token });
  }

  // Shown at once; the server says the same a moment later.
  preview(polygon, mode) {
    const screen = polygon.map(([x, y]) => this.toScreen(x, y));
    let count = 0;
    for (let i = 0; i < this.xs.length; i++) {
      const inside = inPolygon(this.xs[i], this.ys[i], screen);
      if (mode === "replace") this.selected[i] = inside ? 1 : 0;
      else if (inside) this.selected[i] = mode === "add" ? 1 : 0;
      count += this.selected[i];
    }
    this.anySelected = count > 0;
    this.redrawSoon();
  }

  nearest(px, py, within) {
    if (!this.header || this.header.mode !== "points" || !this.xs) return -1;
    let best = -1, least = within * within;
    for (let i = 0; i < this.xs.length; i++) {
      const dx = this.xs[i] - px, dy = this.ys[i] - py, distance = dx * dx + dy * dy;
      if (distance < least) { least = distance; best = i; }
    }
    return best;
  }

  hover(px, py) {
    if (this.hovering) return;
    this.hovering = requestAnimationFrame(() => {
      this.hovering = null;
      const point = this.nearest(px, py, NEAR_PX);
      if (point < 0) { this.tip.hidden = true; return; }
      this.showTip(point);
    });
  }

  showTip(point) {
    this.tipPoint = point;
    const { ids, fields } = this.arrays.text;
    const id = ids[point];
    const rows = fields.map(([name, values, codes]) => {
      const row = element("div", "field");
      row.append(element("span", "key", name), element("span", "value", values[codes[point]]));
      return row;
    });
    const parts = [element("div", "id", id), ...rows];
    const url = this.pictures.get(id);
    if (url) {
      const picture = element("img");
      picture.src = url;
      picture.alt = "";
      parts.unshift(picture);
    } else if (url === undefined) this.want(point);
    this.tip.replaceChildren(...parts);
    this.tip.hidden = false;
    const left = this.xs[point] > this.width - 300 ? this.xs[point] - 14 - this.tip.offsetWidth : this.xs[point] + 14;
    const top = Math.min(Math.max(4, this.ys[point] - 40), this.height - this.tip.offsetHeight - 4);
    this.tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }

  // The pictures of this point and of those round it, so that the next ones are there already.
  want(point) {
    const near = [];
    for (let i = 0; i < this.xs.length; i++) {
      const distance = Math.hypot(this.xs[i] - this.xs[point], this.ys[i] - this.ys[point]);
      if (distance < 160 && !this.pictures.has(this.arrays.text.ids[i])) near.push([distance, this.arrays.text.ids[i]]);
    }
    near.sort((a, b) => a[0] - b[0]);
    const items = near.slice(0, WANTED_AT_ONCE).map(([, id]) => id);
    window.dispatchEvent(new CustomEvent("flexict-pictures-wanted", { detail: items }));
  }

  key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key === "Escape") { this.dropDrawing(); this.focusPoint = -1; this.tip.hidden = true; }
    else if (event.key === "+" || event.key === "=") this.zoomAround(1.4);
    else if (event.key === "-") this.zoomAround(1 / 1.4);
    else if (event.key === "0") this.resetView();
    else if (event.key === "Enter" && this.focusPoint >= 0) this.pick({ kind: "item", item: this.arrays.text.ids[this.focusPoint] }, event);
    else if (steps[event.key] && this.header && this.header.mode === "points") this.step(...steps[event.key]);
    else return;
    event.preventDefault();
  }

  step(dx, dy) {
    if (this.focusPoint < 0) this.focusPoint = this.nearest(this.width / 2, this.height / 2, 1e6);
    else {
      const x = this.xs[this.focusPoint], y = this.ys[this.focusPoint];
      let best = -1, least = Infinity;
      for (let i = 0; i < this.xs.length; i++) {
        const ahead = (this.xs[i] - x) * dx + (this.ys[i] - y) * dy;
        const aside = Math.abs((this.xs[i] - x) * dy) + Math.abs((this.ys[i] - y) * dx);
        if (ahead > 0.5 && ahead >= aside && ahead + 2 * aside < least) { least = ahead + 2 * aside; best = i; }
      }
      if (best >= 0) this.focusPoint = best;
    }
    if (this.focusPoint < 0) return;
    this.showTip(this.focusPoint);
    this.live.textContent = this.tip.innerText.replace(/\n+/g, ", ");
  }
}

export default function (component) {
  const root = component.parentElement;
  root.pointMap ??= new PointMap(root);
  root.pointMap.update(component);
  // Called between two updates as well as at the end: only what has left the page is taken down.
  return () => setTimeout(() => {
    if ((root.host ?? root).isConnected || !root.pointMap) return;
    root.pointMap.destroy();
    root.pointMap = undefined;
  });
}
