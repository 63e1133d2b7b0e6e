// The map: wheel and drag move it, a lasso, a box or a click selects, and the selection is sent as a shape or an id.
const HEIGHT = 560;
const MOST_ZOOM = 400;

class PointMap {
  constructor(root) {
    this.root = root;
    this.since = performance.now();
    senderCame();
    this.tool = "lasso";
    this.zoom = { scale: 1, x: 0, y: 0 };
    this.pictures = (window.flexictPictures ??= new Map());
    this.focusPoint = -1;
    this.build();
    this.listen();
  }

  destroy() {
    senderGone();
    this.observer.disconnect();
    window.removeEventListener("flexict-pictures", this.onPictures);
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
      askFrom(this.since, () => this.setState("viewport", [x0, x1, y0, y1]));
    }, 160);
  }
}

Object.assign(PointMap.prototype, frameMethods, tipMethods, gestureMethods);

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
