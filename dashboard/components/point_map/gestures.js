// What the hands do: lasso, box, click, wheel and keys; the selection is sent as a shape or an id.
const CLICK_PX = 4;
const MOST_CORNERS = 80;

function inPolygon(x, y, corners) {
  let inside = false;
  for (let i = 0, j = corners.length - 1; i < corners.length; j = i++) {
    const [xi, yi] = corners[i], [xj, yj] = corners[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

const gestureMethods = {
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
  },

  dropDrawing() {
    this.drag = null;
    this.overlay.getContext("2d").clearRect(0, 0, this.overlay.width, this.overlay.height);
  },

  corners() {
    const { from, path } = this.drag;
    const [x, y] = path[path.length - 1];
    if (this.tool === "box") return [from, [x, from[1]], [x, y], [from[0], y]];
    const step = Math.max(1, Math.ceil(path.length / MOST_CORNERS));
    return path.filter((_, i) => i % step === 0);
  },

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
  },

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
  },

  pick(what, event) {
    const mode = event.shiftKey ? "add" : event.altKey ? "subtract" : "replace";
    if (what.polygon && this.header.mode === "points") this.preview(what.polygon, mode);
    askFrom(this.since, () => this.send("picked", { ...what, mode, token: this.header.token }));
  },

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
  },

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
  },

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
  },
};
