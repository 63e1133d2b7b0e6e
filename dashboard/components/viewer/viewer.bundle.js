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

// dashboard/components/browser_payload.js
function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

// dashboard/components/viewer/message.js
function connectionOf(channel) {
  window.flexictConnections ??= /* @__PURE__ */ new Map();
  const found = window.flexictConnections.get(channel) ?? { viewer: null, message: null, send: null };
  window.flexictConnections.set(channel, found);
  return found;
}

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

// dashboard/components/viewer/geometry.js
var clamp = (value, low, high) => Math.min(Math.max(value, low), high);
function sliceIndex(panel, plane, place) {
  const axis = plane.through;
  const index = Math.floor(panel.centre[axis] + place[axis] / panel.spacing[axis] + 0.5);
  return clamp(index, 0, panel.shape[axis] - 1);
}
var sliceNumber = (index) => index + 1;
var slicePosition = (panel, plane, index) => (index - panel.centre[plane.through]) * panel.spacing[plane.through];
function toLps(panel, place) {
  return [0, 1, 2].map((row) => panel.lps[row] + [0, 1, 2].reduce((sum, j) => sum + panel.direction[3 * row + j] * place[j], 0));
}
var onScreen = (plane, place) => [place[plane.across], plane.turned ? -place[plane.down] : place[plane.down]];
function fromScreen(plane, right, down, place) {
  const found = [...place];
  found[plane.across] = right;
  found[plane.down] = plane.turned ? -down : down;
  return found;
}
function projection(camera, plane, width, height) {
  const scale = Math.min(width, height) / camera.fov;
  const [right, down] = onScreen(plane, camera.centre);
  return { scale, left: width / 2 - right * scale, top: height / 2 - down * scale };
}
function visible(view, width, height) {
  return {
    left: -view.left / view.scale,
    top: -view.top / view.scale,
    right: (width - view.left) / view.scale,
    bottom: (height - view.top) / view.scale
  };
}
function scaleBarLength(scale, width) {
  const lengths = [1, 2, 5, 10, 20, 50, 100, 200];
  return lengths.filter((mm) => mm * scale <= width / 3).pop() ?? lengths[0];
}
function signed(value, digits = 0) {
  const text = Math.abs(value).toFixed(digits);
  return Number(text) !== 0 && value < 0 ? `−${text}` : text;
}

// dashboard/components/viewer/camera.js
var FOV_MM = (
  /** @type {const} */
  [5, 2e3]
);
var LEAST_FRAME_MM = 100;
var MOST_MARGIN_MM = 60;
function framed(scans, thumbnails) {
  const box = Math.max(0, ...scans.map((one) => one.box ? longest(one.box[1].map((mm, i) => mm - (one.box?.[0][i] ?? 0))) : 0));
  const whole = Math.max(0, ...scans.map((one) => longest(one.shape.map((n, i) => n * one.spacing[i]))));
  const fov = box ? Math.min(whole, Math.max(LEAST_FRAME_MM, box + Math.min(0.6 * box, MOST_MARGIN_MM))) : whole;
  return { centre: [0, 0, 0], fov: fov || Math.max(...thumbnails, LEAST_FRAME_MM) };
}
var longest = (lengths) => Math.max(...lengths);
function wholeScans(scans) {
  const ends = scans.flatMap((one) => one.shape.map((n, i) => 2 * Math.max(one.centre[i] + 0.5, n - 0.5 - one.centre[i]) * one.spacing[i]));
  return { centre: [0, 0, 0], fov: Math.max(...ends) };
}
function panned(camera, plane, { width, height }, dx, dy) {
  const { scale } = projection(camera, plane, width, height);
  const [right, down] = onScreen(plane, camera.centre);
  return { ...camera, centre: fromScreen(plane, right - dx / scale, down - dy / scale, camera.centre) };
}
function zoomed(camera, plane, { width, height }, factor, [x, y]) {
  const before = projection(camera, plane, width, height);
  const closer = { ...camera, fov: clamp(camera.fov / factor, ...FOV_MM) };
  const after = projection(closer, plane, width, height);
  const [right, down] = onScreen(plane, camera.centre);
  return {
    ...closer,
    centre: fromScreen(
      plane,
      right + (x - before.left) / before.scale - (x - after.left) / after.scale,
      down + (y - before.top) / before.scale - (y - after.top) / after.scale,
      camera.centre
    )
  };
}
function scrollRange(scans, plane) {
  const step = scans.length ? Math.min(...scans.map((one) => one.spacing[plane.through])) : 1;
  const low = Math.min(0, ...scans.map((one) => slicePosition(one, plane, 0)));
  const high = Math.max(0, ...scans.map((one) => slicePosition(one, plane, one.shape[plane.through] - 1)));
  return { low: Math.floor(low / step) * step, high: Math.ceil(high / step) * step, step };
}

// dashboard/components/viewer/gestures.js
var DRAG_PX = 4;
var ZOOM_STEP = 1.15;
var PAGE_MM = 10;
var NOTCH_PX = 50;
var Wheel = class {
  turned = 0;
  /**
   * The steps that a turn makes, up or down the scan.
   * @param {{deltaY: number, deltaMode: number}} turn
   */
  steps({ deltaY, deltaMode }) {
    const unit = deltaMode === 0 ? NOTCH_PX : 1;
    this.turned += deltaY / unit;
    const steps = Math.abs(deltaY) >= unit ? Math.sign(deltaY) : Math.trunc(this.turned);
    if (steps !== 0) this.turned = 0;
    return -steps;
  }
};
function pinch(before, now, other) {
  return distance(now, other) / Math.max(distance(before, other), 1);
}
var distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
function listen(slot, viewer) {
  const { canvas } = slot;
  const pointers = /* @__PURE__ */ new Map();
  let drag = null;
  const wheel = new Wheel();
  const at = (event) => pointerAt(canvas, event);
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    event.stopPropagation();
    if (event.ctrlKey || event.metaKey) {
      viewer.zoom(event.deltaY < 0 ? ZOOM_STEP : 1 / ZOOM_STEP, slot, at(event));
      return;
    }
    const steps = wheel.steps(event);
    if (steps !== 0) viewer.scroll(slot.plane(), steps);
  }, { passive: false });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at(event));
    const windowing = event.button === 2 || event.shiftKey;
    drag = { last: at(event), moved: 0, windowing, button: event.button };
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = at(event);
    viewer.hover(slot, now);
    const before = pointers.get(event.pointerId);
    if (!drag || !before) return;
    if (pointers.size === 2) {
      const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      viewer.zoom(pinch(before, now, other), slot, other);
      pointers.set(event.pointerId, now);
      drag.moved = DRAG_PX + 1;
      return;
    }
    pointers.set(event.pointerId, now);
    const [dx, dy] = [now[0] - drag.last[0], now[1] - drag.last[1]];
    drag.moved += Math.abs(dx) + Math.abs(dy);
    if (drag.moved <= DRAG_PX) return;
    drag.last = now;
    if (drag.windowing) viewer.dragWindow(dx, dy);
    else viewer.pan(slot, dx, dy);
  });
  const end = (event) => {
    const clicked = drag && drag.moved <= DRAG_PX && drag.button === 0 && !drag.windowing;
    pointers.delete(event.pointerId);
    if (clicked && event.type === "pointerup") viewer.pick(slot, at(event));
    if (!pointers.size) drag = null;
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("pointerleave", () => viewer.hover(slot, null));
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const plane = slot.plane();
    const far = Math.max(1, Math.round(PAGE_MM / viewer.range(plane).step));
    const middle = [canvas.clientWidth / 2, canvas.clientHeight / 2];
    const shifted = {
      ArrowUp: () => viewer.pan(slot, 0, 20),
      ArrowDown: () => viewer.pan(slot, 0, -20),
      ArrowLeft: () => viewer.pan(slot, 20, 0),
      ArrowRight: () => viewer.pan(slot, -20, 0)
    };
    const actions = {
      ArrowUp: () => viewer.scroll(plane, 1),
      ArrowRight: () => viewer.scroll(plane, 1),
      ArrowDown: () => viewer.scroll(plane, -1),
      ArrowLeft: () => viewer.scroll(plane, -1),
      PageUp: () => viewer.scroll(plane, far),
      PageDown: () => viewer.scroll(plane, -far),
      Home: () => viewer.home(),
      "+": () => viewer.zoom(ZOOM_STEP, slot, middle),
      "=": () => viewer.zoom(ZOOM_STEP, slot, middle),
      "-": () => viewer.zoom(1 / ZOOM_STEP, slot, middle),
      Enter: () => viewer.pick(slot, middle)
    };
    const action = event.shiftKey && shifted[event.key] || actions[event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  });
}

// dashboard/components/viewer/patch_overlay.js
function paintPatches(context, place, { number, plane, position }, { map, view, ramp }) {
  if (!map || view.map === "off" || map.kind !== view.map) return;
  const grid = map.grids.find((one) => one.panel === number);
  if (!grid) return;
  const layer = Math.floor((position - grid.corner[plane.through]) / grid.cell_mm[plane.through]);
  if (layer < 0 || layer >= grid.shape[plane.through]) return;
  const picture = layerOf(grid, plane, layer, map.kind === "pca" ? null : ramp);
  const near = grid.corner;
  const far = grid.corner.map((mm, axis) => mm + grid.shape[axis] * grid.cell_mm[axis]);
  const [a, b] = [onScreen(plane, near), onScreen(plane, far)];
  context.globalAlpha = view.opacity;
  context.imageSmoothingEnabled = false;
  context.drawImage(
    picture,
    place.left + Math.min(a[0], b[0]) * place.scale,
    place.top + Math.min(a[1], b[1]) * place.scale,
    Math.abs(a[0] - b[0]) * place.scale,
    Math.abs(a[1] - b[1]) * place.scale
  );
  context.globalAlpha = 1;
}
var LAYERS = /* @__PURE__ */ new WeakMap();
function layerOf(grid, plane, layer, ramp) {
  const layers = LAYERS.get(grid) ?? /* @__PURE__ */ new Map();
  LAYERS.set(grid, layers);
  const key = `${plane.name}/${layer}`;
  if (layers.has(key)) return layers.get(key);
  const [columns, rows] = [grid.shape[plane.across], grid.shape[plane.down]];
  const canvas = canvasOf(columns, rows);
  const context = contextOf(canvas);
  const image = context.createImageData(columns, rows);
  image.data.set(layerPixels(grid, plane, layer, ramp));
  context.putImageData(image, 0, 0);
  layers.set(key, canvas);
  return canvas;
}
function layerPixels(grid, plane, layer, ramp) {
  const [columns, rows] = [grid.shape[plane.across], grid.shape[plane.down]];
  const pixels = new Uint8ClampedArray(4 * columns * rows);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const cell = [0, 0, 0];
      cell[plane.through] = layer;
      cell[plane.across] = column;
      cell[plane.down] = plane.turned ? rows - 1 - row : row;
      const at = cellNumber(grid, cell);
      const colour = ramp ? ramp.subarray(3 * grid.values[at], 3 * grid.values[at] + 3) : grid.values.subarray(3 * at, 3 * at + 3);
      pixels.set([...colour, 255], 4 * (row * columns + column));
    }
  }
  return pixels;
}
var cellNumber = (grid, [x, y, z]) => (z * grid.shape[1] + y) * grid.shape[0] + x;
function similarityAt(map, number, place) {
  const grid = map?.kind === "similarity" ? map.grids.find((one) => one.panel === number) : void 0;
  if (!map || !grid) return void 0;
  const cell = grid.corner.map((mm, axis) => Math.floor((place[axis] - mm) / grid.cell_mm[axis]));
  if (cell.some((one, axis) => one < 0 || one >= grid.shape[axis])) return void 0;
  const step = grid.values[cellNumber(grid, cell)];
  const low = map.low ?? 0;
  return { value: low + step / 255 * (1 - low), atMost: step === 0 };
}
function mapWords(wanted, map, point) {
  if (wanted === "off") return "";
  if (wanted === "similarity" && !point) return "Click a point: patches like the one under it light up.";
  if (!map || map.kind !== wanted) return "Asking for the patch tokens …";
  const errors = [...new Set(map.errors.filter(Boolean))];
  const trouble = errors.length ? ` Not shown everywhere: ${errors.join("; ")}` : "";
  if (map.waiting) return `Computing patch tokens: ${map.n - map.waiting} of ${map.n} scans …${trouble}`;
  if (map.outside) return "The point lies beside what was embedded: click within the dashed box.";
  if (!map.grids.length) return errors.length ? `No map: ${errors.join("; ")}` : "No map of these scans.";
  if (wanted === "pca") return `First three principal components of the patches of all panels, as colours without a unit.${trouble}`;
  return `Cosine similarity with the patch under the ring.${trouble}`;
}

// dashboard/components/viewer/slices.js
var MOST_SLICES = 400;
var SliceCache = class _SliceCache {
  constructor() {
    this.whole = /* @__PURE__ */ new Map();
    this.details = /* @__PURE__ */ new Map();
    this.failed = /* @__PURE__ */ new Map();
  }
  /**
   * @param {number} panel
   * @param {string} plane
   * @param {number} index
   */
  static key(panel, plane, index) {
    return `${panel}/${plane}/${index}`;
  }
  /**
   * @param {import("./message.js").SliceRecord | import("./message.js").SliceFailure} record
   * @param {import("./message.js").Blob} blob
   */
  async add(record, blob) {
    const key = _SliceCache.key(record.panel, record.plane, record.index);
    if (record.error !== void 0) {
      this.failed.set(key, record.error);
      return;
    }
    const [pixels, mask] = await Promise.all([
      inflate(blob(record.pixels)),
      record.mask === null ? null : inflate(blob(record.mask))
    ]);
    const slice = { ...record, hu: new Int16Array(pixels), inside: mask === null ? null : new Uint8Array(mask) };
    if (record.detail) {
      this.details.set(`${record.panel}/${record.plane}`, slice);
      return;
    }
    this.whole.delete(key);
    this.whole.set(key, slice);
    for (const oldest of this.whole.keys()) {
      if (this.whole.size <= MOST_SLICES) break;
      this.whole.delete(oldest);
    }
  }
  /**
   * @param {number} panel
   * @param {string} plane
   * @param {number} index
   */
  has(panel, plane, index) {
    const key = _SliceCache.key(panel, plane, index);
    return this.whole.has(key) || this.failed.has(key);
  }
  /**
   * @param {number} panel
   * @param {string} plane
   * @param {number} index
   */
  get(panel, plane, index) {
    const key = _SliceCache.key(panel, plane, index);
    const found = this.whole.get(key);
    if (found) {
      this.whole.delete(key);
      this.whole.set(key, found);
    }
    return found;
  }
  /**
   * Why a slice cannot be had, where that is so.
   * @param {number} panel
   * @param {string} plane
   * @param {number} index
   */
  failure(panel, plane, index) {
    return this.failed.get(_SliceCache.key(panel, plane, index));
  }
  /**
   * The slice, or the nearest that is here.
   * @param {number} panel
   * @param {string} plane
   * @param {number} index
   * @param {number} count
   */
  nearest(panel, plane, index, count) {
    for (let away = 0; away < count; away += 1) {
      for (const one of away ? [index - away, index + away] : [index]) {
        const found = this.get(panel, plane, one);
        if (found) return found;
      }
    }
    return void 0;
  }
  /**
   * A part of a slice at a finer step, where it is of this slice.
   * @param {number} panel
   * @param {string} plane
   * @param {number} index
   */
  detail(panel, plane, index) {
    const found = this.details.get(`${panel}/${plane}`);
    return found && found.index === index ? found : void 0;
  }
};
function huAt(slice, right, down) {
  const column = Math.floor((right - slice.left) / slice.pixel[0]);
  const row = Math.floor((down - slice.top) / slice.pixel[1]);
  if (column < 0 || row < 0 || column >= slice.columns || row >= slice.rows) return void 0;
  return slice.hu[row * slice.columns + column];
}
function paintGrey(hu, width, level, pixels) {
  const low = level - width / 2;
  const gain = 255 / width;
  for (let i = 0; i < pixels.length; i += 1) {
    const grey = clamp((hu[i] - low) * gain, 0, 255) | 0;
    pixels[i] = 4278190080 | grey << 16 | grey << 8 | grey;
  }
}
var GREYS = /* @__PURE__ */ new WeakMap();
function greyOf(slice, width, level) {
  const wanted = `${width}/${level}`;
  const kept = GREYS.get(slice);
  if (kept?.window === wanted) return kept.canvas;
  const canvas = kept?.canvas ?? canvasOf(slice.columns, slice.rows);
  const context = contextOf(canvas);
  const image = context.createImageData(slice.columns, slice.rows);
  paintGrey(slice.hu, width, level, new Uint32Array(image.data.buffer));
  context.putImageData(image, 0, 0);
  GREYS.set(slice, { canvas, window: wanted });
  return canvas;
}
function lesionEdges(inside, rows, columns) {
  const at = (r, c) => r >= 0 && c >= 0 && r < rows && c < columns && inside[r * columns + c] !== 0;
  const edges = [];
  for (let r = 0; r <= rows; r += 1) {
    for (let c = 0; c <= columns; c += 1) {
      if (at(r, c) !== at(r - 1, c)) edges.push([c, r, c + 1, r]);
      if (at(r, c) !== at(r, c - 1)) edges.push([c, r, c, r + 1]);
    }
  }
  return edges;
}
var OUTLINES = /* @__PURE__ */ new WeakMap();
function outlineOf(slice) {
  if (slice.inside === null) return null;
  const kept = OUTLINES.get(slice);
  if (kept) return kept;
  const path = new Path2D();
  for (const [ax, ay, bx, by] of lesionEdges(slice.inside, slice.rows, slice.columns)) {
    path.moveTo(ax, ay);
    path.lineTo(bx, by);
  }
  OUTLINES.set(slice, path);
  return path;
}

// dashboard/components/viewer/painting.js
var INK = "#ffffff";
var CROSSHAIR = "#56b4e9";
var BOX = "#f0e442";
function paint(context, width, height, ratio, shown, scene) {
  const { view } = scene;
  const { plane, panel, cut } = shown;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = "#000000";
  context.fillRect(0, 0, width, height);
  const place = projection(view.camera, plane, width, height);
  if (cut) {
    for (const slice of [cut.slice, cut.detail]) {
      if (slice) paintSlice(context, place, slice, view.window);
    }
    paintPatches(context, place, { number: shown.number, plane, position: cut.position }, scene);
    if (view.outline) paintOutline(context, place, cut.detail ?? cut.slice, scene.outlineColour);
    if (view.box && cut.panel.box) paintBox(context, place, plane, cut.panel.box, cut.position);
    if (scene.point?.panel === shown.number) paintPoint(context, place, plane, cut, scene.point.place);
    if (view.crosshair) paintCrosshair(context, place, width, height, plane, view.place);
  } else if (panel?.kind === "thumbnail") {
    paintThumbnail(context, place, panel.picture, panel.pixel_mm);
  } else {
    write(context, shown.waiting, width / 2, height / 2, "center", "middle");
    return;
  }
  paintLetters(context, width, height, plane);
  paintScaleBar(context, width, height, place.scale);
}
var crisp = (at) => Math.floor(at) + 0.5;
function paintSlice(context, place, slice, { width, level }) {
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(
    greyOf(slice, width, level),
    place.left + slice.left * place.scale,
    place.top + slice.top * place.scale,
    slice.columns * slice.pixel[0] * place.scale,
    slice.rows * slice.pixel[1] * place.scale
  );
}
function paintThumbnail(context, place, picture, pixelMm) {
  const edge = picture.width * pixelMm;
  context.imageSmoothingEnabled = true;
  context.drawImage(
    picture,
    place.left - edge / 2 * place.scale,
    place.top - edge / 2 * place.scale,
    edge * place.scale,
    edge * place.scale
  );
}
function paintOutline(context, place, slice, colour) {
  const path = outlineOf(slice);
  if (!path) return;
  const scaled = new Path2D();
  scaled.addPath(path, new DOMMatrix([
    slice.pixel[0] * place.scale,
    0,
    0,
    slice.pixel[1] * place.scale,
    place.left + slice.left * place.scale,
    place.top + slice.top * place.scale
  ]));
  context.lineWidth = 1.6;
  context.lineCap = "square";
  context.strokeStyle = `rgb(${colour.join(",")})`;
  context.stroke(scaled);
  context.lineCap = "butt";
}
function paintBox(context, place, plane, [low, high], position) {
  if (position < low[plane.through] || position > high[plane.through]) return;
  const [a, b] = [onScreen(plane, low), onScreen(plane, high)];
  const [left, top] = [Math.min(a[0], b[0]), Math.min(a[1], b[1])];
  context.strokeStyle = BOX;
  context.lineWidth = 1.4;
  context.setLineDash([6, 4]);
  const [x, y] = [crisp(place.left + left * place.scale), crisp(place.top + top * place.scale)];
  context.strokeRect(
    x,
    y,
    crisp(place.left + Math.max(a[0], b[0]) * place.scale) - x,
    crisp(place.top + Math.max(a[1], b[1]) * place.scale) - y
  );
  context.setLineDash([]);
}
function paintCrosshair(context, place, width, height, plane, at) {
  const [right, down] = onScreen(plane, at);
  const x = crisp(place.left + right * place.scale);
  const y = crisp(place.top + down * place.scale);
  context.strokeStyle = CROSSHAIR;
  context.lineWidth = 1;
  context.beginPath();
  for (const [ax, ay, bx, by] of [[0, y, x - 8, y], [x + 8, y, width, y], [x, 0, x, y - 8], [x, y + 8, x, height]]) {
    context.moveTo(ax, ay);
    context.lineTo(bx, by);
  }
  context.stroke();
}
function paintPoint(context, place, plane, cut, point) {
  if (Math.abs(point[plane.through] - cut.position) > cut.panel.spacing[plane.through]) return;
  const [right, down] = onScreen(plane, point);
  context.beginPath();
  context.arc(place.left + right * place.scale, place.top + down * place.scale, 5, 0, 2 * Math.PI);
  context.lineWidth = 3;
  context.strokeStyle = "#000000";
  context.stroke();
  context.lineWidth = 1.5;
  context.strokeStyle = INK;
  context.stroke();
}
function paintLetters(context, width, height, plane) {
  const [left, right, top, bottom] = plane.letters;
  write(context, left, 6, height / 2, "left", "middle");
  write(context, right, width - 6, height / 2, "right", "middle");
  write(context, top, width / 2, 5, "center", "top");
  write(context, bottom, width / 2, height - 5, "center", "bottom");
}
function paintScaleBar(context, width, height, scale) {
  const mm = scaleBarLength(scale, width);
  const y = height - 10;
  for (const { colour, thick } of [{ colour: "#000000", thick: 4 }, { colour: INK, thick: 2 }]) {
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.beginPath();
    context.moveTo(8, y);
    context.lineTo(8 + mm * scale, y);
    context.stroke();
  }
  write(context, `${mm} mm`, 8, y - 4, "left", "bottom");
}
function write(context, text, x, y, align, baseline) {
  context.font = "600 13px system-ui, sans-serif";
  context.textAlign = align;
  context.textBaseline = baseline;
  context.lineWidth = 3;
  context.lineJoin = "round";
  context.strokeStyle = "#000000";
  context.strokeText(text, x, y);
  context.fillStyle = INK;
  context.fillText(text, x, y);
}

// dashboard/components/viewer/shown.js
var PLANE_WORDS = { axial: "Axial", coronal: "Coronal", sagittal: "Sagittal" };
var WAYS = {
  axial: ["towards the head", "towards the feet"],
  coronal: ["towards the back", "towards the front"],
  sagittal: ["towards the patient's left", "towards the patient's right"]
};
function shownOf(number, plane, { panels, planes, cache, view }) {
  const panel = panels[number];
  const shown = { number, plane, panel, cut: null, failure: void 0, waiting: "Reading the scan …" };
  if (panel?.kind === "thumbnail") return { ...shown, plane: planes.axial };
  if (panel?.kind === "none") return { ...shown, waiting: "No picture" };
  if (!panel) return shown;
  const index = sliceIndex(panel, plane, view.place);
  const slice = cache.nearest(number, plane.name, index, panel.shape[plane.through]);
  const cut = slice && {
    panel,
    index,
    slice,
    detail: cache.detail(number, plane.name, slice.index),
    position: slicePosition(panel, plane, slice.index)
  };
  return { ...shown, cut: cut ?? null, failure: cache.failure(number, plane.name, index), waiting: "Reading the slice …" };
}
function placeWords({ panel, plane, cut, failure }) {
  if (panel?.kind === "thumbnail") return `axial, z = ${signed(panel.z_lps_mm, 1)} mm (LPS)`;
  if (!cut) return "";
  const here = [0, 0, 0];
  here[plane.through] = cut.position;
  const mm = toLps(cut.panel, here)[plane.through];
  const number = `slice ${sliceNumber(cut.slice.index)} of ${cut.panel.shape[plane.through]}`;
  const step = voxelsAPixel(cut);
  return `${number}, ${"xyz"[plane.through]} = ${signed(mm, 1)} mm (LPS)` + (step > 1 ? ` · ${step} × ${step} voxels a pixel` : "") + (cut.slice.index !== cut.index && !failure ? ` · loading slice ${sliceNumber(cut.index)}` : "");
}
function cursorWords({ number, plane, cut }, place, { view, map }) {
  if (!cut) return "";
  const [right, down] = onScreen(plane, place);
  const hu = (cut.detail && huAt(cut.detail, right, down)) ?? huAt(cut.slice, right, down);
  if (hu === void 0) return "";
  const [x, y, z] = toLps(cut.panel, place).map((mm) => signed(mm, 0));
  const like = view.map === "similarity" ? similarityAt(map, number, place) : void 0;
  const words = like ? ` · cosine ${like.atMost ? "≤ " : ""}${signed(like.value, 2)}` : "";
  const mean = voxelsAPixel(cut) > 1 ? " (mean of the pixel)" : "";
  return `${signed(hu)} HU${mean} at ${x}, ${y}, ${z} mm${words}`;
}
var voxelsAPixel = ({ slice, detail }) => Math.max(...(detail ?? slice).step);
function noteWords({ panel, failure }) {
  return [...panel?.notes ?? [], failure].filter(Boolean).join(" ");
}
function offsetWords(plane, place) {
  const mm = place[plane.through];
  const [on, back] = WAYS[plane.name];
  return Math.abs(mm) < 0.05 ? "at the centre" : `${Math.abs(mm).toFixed(1)} mm ${mm > 0 ? on : back}`;
}
function windowWords({ window: { name, width, level } }) {
  return `window ${name}, width ${Math.round(width)}, level ${signed(Math.round(level))} HU`;
}

// dashboard/components/viewer/picture.js
var PICTURE_WIDTH = 420;
var PICTURE_TEXT = 74;
var FONT = "12px system-ui, sans-serif";
var TITLE_FONT = "600 14px system-ui, sans-serif";
var FOOT_FONT = "600 12px system-ui, sans-serif";
function pictureName(cases, planes) {
  const safe = [...new Set(cases)].map((one) => one.replace(/[^A-Za-z0-9._-]+/g, "_")).join("-");
  return `ct-${safe.slice(0, 120)}-${planes}.png`;
}
function savePicture(viewer) {
  const { slots } = viewer;
  const columns = Math.min(3, slots.length);
  const rows = Math.ceil(slots.length / columns);
  const wide = columns * PICTURE_WIDTH - 12;
  const footer = footLines(viewer.footer, wide);
  const high = PICTURE_WIDTH + PICTURE_TEXT;
  const ratio = 2;
  const canvas = canvasOf(columns * PICTURE_WIDTH * ratio, (rows * high + 30 + 17 * footer.length) * ratio);
  const context = contextOf(canvas);
  context.fillStyle = "#000000";
  context.fillRect(0, 0, canvas.width, canvas.height);
  slots.forEach((slot, i) => {
    const [x, y] = [i % columns * PICTURE_WIDTH, Math.floor(i / columns) * high];
    const part = canvasOf(PICTURE_WIDTH * ratio, PICTURE_WIDTH * ratio);
    paint(contextOf(part), PICTURE_WIDTH, PICTURE_WIDTH, ratio, slot.shown, viewer);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.drawImage(part, x, y + 26, PICTURE_WIDTH, PICTURE_WIDTH);
    write2(context, slot.title.textContent, x + 6, y + 18, PICTURE_WIDTH - 12, TITLE_FONT);
    const lines = [slot.place.textContent, slot.caption.textContent].filter(Boolean);
    for (const [n, line] of lines.entries()) write2(context, line, x + 6, y + PICTURE_WIDTH + 42 + 17 * n, PICTURE_WIDTH - 12, FONT);
  });
  const words = [windowWords(viewer.view), viewer.mapText()].filter(Boolean).join(" · ");
  write2(context, words, 6, rows * high + 18, wide, FONT);
  for (const [n, line] of footer.entries()) write2(context, line, 6, rows * high + 37 + 17 * n, wide, FOOT_FONT);
  canvas.toBlob((blob) => {
    if (!blob) throw new Error("the browser made no picture of the canvas");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    const shown = new Set(slots.map((slot) => viewer.items[slot.number].case));
    link.download = pictureName([...shown], viewer.view.three ? "three-planes" : viewer.view.plane);
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1e4);
  }, "image/png");
}
function footLines(text, wide) {
  const context = contextOf(canvasOf(1, 1));
  context.font = FOOT_FONT;
  return folded(text, (line) => context.measureText(line).width <= wide);
}
function folded(text, fits) {
  const lines = [];
  for (const word of text.split(" ").filter(Boolean)) {
    const longer = lines.length ? `${lines[lines.length - 1]} ${word}` : word;
    if (lines.length && fits(longer)) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
function write2(context, text, x, y, most, font) {
  context.font = font;
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  context.fillStyle = INK;
  context.fillText(text, x, y, most);
}

// dashboard/components/viewer/controls.js
var Controls = class {
  /** @param {import("./slice_viewer.js").Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    const { view } = viewer;
    const button = (words, title, act, label = null) => make("button", { type: "button", title, "aria-label": label, onclick: act }, words);
    this.planes = Object.entries({ ...PLANE_WORDS, three: "Three planes" }).map(([name, words]) => make("button", { type: "button", "data-plane": name, onclick: () => viewer.showPlane(name) }, words));
    this.item = make("select", { "aria-label": "Case in three planes", onchange: () => viewer.showItem(Number(this.item.value)) });
    this.window = make("select", { "aria-label": "CT window", onchange: () => viewer.chooseWindow(this.window.value) });
    const number = (name, label, low, high) => make("input", { type: "number", min: low, max: high, step: 10, "aria-label": label, onchange: () => viewer.ownWindow(name, Number(this[name].value)) });
    this.width = number("width", "Window width in HU", 1, 4e3);
    this.level = number("level", "Window level in HU", -1500, 3e3);
    this.slider = make("input", { type: "range", "aria-label": "Scroll", oninput: () => viewer.scrollTo(Number(this.slider.value)) });
    this.offset = make("output", { class: "offset" });
    const check = (name, words) => {
      const box = make("input", { type: "checkbox", onchange: () => viewer.set({ [name]: box.checked }) });
      box.checked = view[name];
      return make("label", { class: "check" }, box, words);
    };
    this.map = make(
      "select",
      { "aria-label": "Patch map", onchange: () => viewer.chooseMap(this.map.value) },
      make("option", { value: "off" }, "No patch map"),
      make("option", { value: "similarity" }, "Similarity to a click"),
      make("option", { value: "pca" }, "PCA colours")
    );
    this.opacity = make("input", {
      type: "range",
      min: 0,
      max: 1,
      step: 0.05,
      "aria-label": "Opacity of the patch map",
      oninput: () => viewer.set({ opacity: Number(this.opacity.value) })
    });
    this.opacity.value = String(view.opacity);
    this.scale = make("canvas", { width: 256, height: 1, class: "ramp", role: "img" });
    this.low = make("span");
    this.high = make("span");
    this.legend = make("span", { class: "legend" }, this.low, this.scale, this.high);
    this.words = make("span", { class: "map-words", role: "status" });
    this.spinner = make("span", { class: "spinner", "aria-hidden": "true" });
    this.again = button("Try again", "Compute the map again where it failed", () => viewer.retryMap());
    this.opacityLabel = make("label", { class: "check opacity" }, "Opacity", this.opacity);
    this.maps = make(
      "div",
      { class: "row" },
      this.map,
      this.opacityLabel,
      this.legend,
      this.spinner,
      this.words,
      this.again
    );
    this.root = make(
      "div",
      { class: "controls" },
      make(
        "div",
        { class: "row" },
        make("div", { class: "planes", role: "group", "aria-label": "Plane" }, ...this.planes),
        this.item,
        this.window,
        make("label", { class: "check" }, "W", this.width),
        make("label", { class: "check" }, "L", this.level),
        check("outline", "Mask outline"),
        check("crosshair", "Crosshair"),
        check("box", "Embedded box")
      ),
      make(
        "div",
        { class: "row" },
        this.slider,
        this.offset,
        button("Home", "Back to the lesion, the slice or the middle of the scan", () => viewer.home()),
        button("−", "Zoom out", () => viewer.zoomMiddle(1 / ZOOM_STEP), "Zoom out"),
        button("+", "Zoom in", () => viewer.zoomMiddle(ZOOM_STEP), "Zoom in"),
        button("Whole scan", "Show the whole scan", () => viewer.showAll()),
        button("Download PNG", "Download what is seen as PNG", () => savePicture(viewer))
      ),
      this.maps
    );
  }
  /**
   * The choices that the server names.
   * @param {import("./message.js").Beginning} beginning
   * @param {Uint8Array} ramp 256 RGB
   */
  fill({ items, windows, maps }, ramp) {
    this.item.replaceChildren(...items.map((one, i) => make("option", { value: i }, one.title || one.case)));
    this.window.replaceChildren(...[...windows.map(([name]) => name), "Own"].map((name) => make("option", { value: name }, name)));
    this.maps.hidden = !maps;
    const context = contextOf(this.scale);
    const image = context.createImageData(256, 1);
    for (let i = 0; i < 256; i += 1) image.data.set([...ramp.subarray(3 * i, 3 * i + 3), 255], 4 * i);
    context.putImageData(image, 0, 0);
  }
  /** Show what the view is. */
  update() {
    const { viewer } = this;
    const { view } = viewer;
    for (const one of this.planes) {
      const on = view.three ? one.dataset.plane === "three" : one.dataset.plane === view.plane;
      one.setAttribute("aria-pressed", String(on));
    }
    this.item.hidden = !view.three;
    this.item.value = String(view.item);
    this.window.value = view.window.name;
    this.show(this.width, Math.round(view.window.width));
    this.show(this.level, Math.round(view.window.level));
    const plane = viewer.planes[view.plane];
    const { low, high, step } = viewer.range(plane);
    Object.assign(this.slider, { min: String(low), max: String(high), step: String(step) });
    this.slider.value = String(view.place[plane.through]);
    const words = offsetWords(plane, view.place);
    this.slider.setAttribute("aria-valuetext", words);
    this.offset.textContent = view.three ? `${PLANE_WORDS[view.plane]}: ${words}` : words;
    this.map.value = view.map;
    const { map } = viewer;
    const lowest = map?.kind === "similarity" && map.grids.length ? map.low : null;
    this.opacityLabel.hidden = view.map === "off";
    this.legend.hidden = view.map !== "similarity" || typeof lowest !== "number";
    if (typeof lowest === "number") {
      this.low.textContent = `cosine ≤ ${signed(lowest, 2)}`;
      this.high.textContent = "1";
      this.scale.setAttribute("aria-label", `Colours from cosine ${lowest.toFixed(2)} (dark) to 1 (bright)`);
    }
    this.spinner.hidden = !(view.map !== "off" && (viewer.maps.waits(view, viewer.point) || map?.waiting));
    this.again.hidden = view.map === "off" || !this.spinner.hidden || map?.kind !== view.map || !map?.errors.some(Boolean);
    const said = viewer.mapText();
    if (this.words.textContent !== said) this.words.textContent = said;
  }
  /**
   * Show a number; what is being typed stays.
   * @param {HTMLInputElement} input
   * @param {number} value
   */
  show(input, value) {
    if (
      /** @type {Document | ShadowRoot} */
      input.getRootNode().activeElement !== input
    ) input.value = String(value);
  }
};

// dashboard/components/viewer/conversation.js
var PATIENCE_MS = 3e4;
var POLL_MS = 600;
var SETTLE_MS = 700;
var Conversation = class {
  /** @param {import("./slice_viewer.js").Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    this.seq = Date.now() % 1e9;
    this.outstanding = null;
    this.told = "";
    this.settled = "";
    this.onceKnown = [];
    this.timer = void 0;
  }
  restart() {
    this.told = "";
    this.settled = "";
    this.answered();
  }
  close() {
    clearTimeout(this.timer);
  }
  /** @param {number} seq */
  received(seq) {
    if (this.outstanding && seq === this.outstanding.seq) this.answered();
  }
  /** No answer is waited for any more. */
  answered() {
    this.outstanding = null;
    for (const act of this.onceKnown.splice(0)) act();
  }
  /** What the server should know of the view, as text. */
  state() {
    const { view, point } = this.viewer;
    return JSON.stringify([view.plane, view.place, view.window, point, view.map]);
  }
  /** Whether the server knows what is shown now, if anything is. */
  known() {
    return !this.viewer.items.length || !this.outstanding && this.state() === this.told;
  }
  /**
   * Tell the server what is shown now, and call `act` when it knows.
   * @param {() => void} act
   */
  tellThen(act) {
    this.onceKnown.push(act);
    if (this.state() !== this.told) this.ask([], [], this.state());
  }
  /** Ask for what is lacking, unless an answer is waited for. */
  next() {
    clearTimeout(this.timer);
    const { viewer } = this;
    if (this.outstanding) {
      const waited = performance.now() - this.outstanding.at;
      if (waited < PATIENCE_MS) {
        this.timer = setTimeout(() => this.next(), PATIENCE_MS - waited);
        return;
      }
      this.answered();
    }
    const opens = viewer.unopened();
    const wants = viewer.wanted();
    const { map } = viewer;
    const state = this.state();
    if (opens.length || wants.length || viewer.maps.waits(viewer.view, viewer.point) || viewer.clicked) {
      this.ask(opens, wants, state);
    } else if (map?.waiting && viewer.view.map === map.kind) {
      this.timer = setTimeout(() => this.ask([], [], state), POLL_MS);
    } else if (state !== this.told) {
      if (this.settled === state) this.ask([], [], state);
      else {
        this.settled = state;
        this.timer = setTimeout(() => this.next(), SETTLE_MS);
      }
    }
  }
  /**
   * @param {number[]} opens
   * @param {Wanted[]} wants
   * @param {string} state
   */
  ask(opens, wants, state) {
    const { viewer } = this;
    const { view } = viewer;
    this.seq += 1;
    this.outstanding = { seq: this.seq, at: performance.now() };
    this.told = state;
    viewer.maps.ask(view, viewer.point);
    viewer.clicked = false;
    viewer.send({
      signature: viewer.signature,
      seq: this.seq,
      plane: view.plane,
      place: view.place,
      window: [view.window.name, view.window.width, view.window.level],
      wants,
      opens,
      point: viewer.point,
      map: view.map,
      map_key: viewer.map?.kind === view.map ? viewer.map.key : "",
      attempt: viewer.maps.attempt
    });
    viewer.schedule();
  }
};

// dashboard/components/viewer/downloads.js
function tellBeforeDownloads(conversation) {
  const listener = (event) => {
    const clicked = (
      /** @type {Element} */
      event.target
    );
    const button = (
      /** @type {HTMLElement | null} */
      clicked.closest("[data-testid=stDownloadButton] button")
    );
    if (!button || conversation.known()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    conversation.tellThen(() => button.click());
  };
  document.addEventListener("click", listener, { capture: true });
  return () => document.removeEventListener("click", listener, { capture: true });
}

// dashboard/components/viewer/map_answers.js
var MapAnswers = class _MapAnswers {
  constructor() {
    this.map = null;
    this.asked = void 0;
    this.answered = void 0;
    this.attempt = 0;
  }
  /**
   * What a map is about: another question needs another map.
   * @param {View} view
   * @param {Point} point
   */
  static question({ map }, point) {
    return JSON.stringify([map, map === "similarity" ? point : null]);
  }
  /**
   * @param {View} view
   * @param {Point} point
   */
  ask(view, point) {
    this.asked = _MapAnswers.question(view, point);
  }
  /** Ask again, whatever was answered. */
  again() {
    this.answered = void 0;
  }
  retry() {
    this.attempt = Date.now();
    this.again();
  }
  /**
   * @param {import("./message.js").Reply["map"]} map
   * @param {import("./message.js").Blob} blob
   */
  receive(map, blob) {
    this.answered = this.asked;
    if (!map) return;
    if (map.same) this.map = this.map && { ...this.map, waiting: map.waiting };
    else this.map = { ...map, grids: map.grids.map((grid) => ({ ...grid, values: blob(grid.values).slice() })) };
  }
  /**
   * Whether a map is wanted that was not asked for yet, or whose answer is on its way.
   * @param {View} view
   * @param {Point} point
   */
  waits(view, point) {
    if (view.map === "off" || view.map === "similarity" && !point) return false;
    return this.answered !== _MapAnswers.question(view, point);
  }
  /**
   * @param {View} view
   * @param {Point} point
   */
  words(view, point) {
    return mapWords(view.map, this.waits(view, point) ? null : this.map, point);
  }
};

// dashboard/components/viewer/slots.js
function newSlot(viewer, number, planeName) {
  const item = viewer.items[number];
  const plane = () => viewer.planes[planeName ?? viewer.view.plane];
  const canvas = make("canvas", { tabindex: 0, role: "img" });
  const title = make("div", { class: "title", title: item.title }, planeName ? `${PLANE_WORDS[planeName]} · ${item.title}` : item.title);
  const place = make("div", { class: "place" });
  const cursor = make("div", { class: "cursor" });
  const note = make("div", { class: "note" });
  const caption = make("div", { class: "caption" }, item.caption);
  const slot = {
    number,
    plane,
    canvas,
    title,
    place,
    cursor,
    note,
    caption,
    root: make("figure", {}, title, canvas, place, cursor, note, caption),
    pointer: (
      /** @type {import("./geometry.js").Pair | null} */
      null
    ),
    shown: shownOf(number, plane(), viewer)
  };
  listen(slot, viewer);
  return slot;
}
function describe(slot, viewer) {
  const { shown, pointer } = slot;
  const place = placeWords(shown);
  const note = noteWords(shown);
  write3(slot.place, place);
  write3(slot.note, note);
  write3(slot.cursor, pointer && shown.cut ? cursorWords(shown, viewer.placeAt(slot, pointer), viewer) : "");
  const said = `${PLANE_WORDS[shown.plane.name]} CT slice of ${viewer.items[slot.number].case}. ${place || note || shown.waiting}`;
  if (slot.canvas.getAttribute("aria-label") !== said) slot.canvas.setAttribute("aria-label", said);
}
function write3(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// dashboard/components/viewer/wanted.js
var AHEAD = 8;
var BEHIND = 4;
var MOST_AT_ONCE = 18;
var MOST_PIXELS = 320;
function wantedSlices(slots, place, direction, cache) {
  const wants = [];
  const shown = slots.map((slot) => ({ slot, index: sliceIndex(slot.panel, slot.plane, place) }));
  const lack = ({ number, panel, plane }, index) => {
    if (index >= 0 && index < panel.shape[plane.through] && !cache.has(number, plane.name, index)) {
      wants.push([number, plane.name, index, null]);
    }
  };
  for (const { slot, index } of shown) lack(slot, index);
  const most = wants.length ? wants.length + slots.length : MOST_AT_ONCE;
  if (!wants.length) {
    for (const { slot, index } of shown) {
      const region = detailRegion(slot, index, cache);
      if (region) wants.push([slot.number, slot.plane.name, index, region]);
    }
  }
  for (let away = 1; away <= AHEAD && wants.length < most; away += 1) {
    for (const { slot, index } of shown) {
      lack(slot, index + direction * away);
      if (away <= BEHIND) lack(slot, index - direction * away);
    }
  }
  return wants.slice(0, most);
}
function detailRegion({ number, panel, plane, seen }, index, cache) {
  const whole = cache.get(number, plane.name, index);
  if (!whole || !seen) return null;
  const step = Math.max(...whole.step);
  if (step < 2) return null;
  const all = extent(whole);
  const margin = 0.1 * (seen.right - seen.left);
  const region = common(all, {
    left: seen.left - margin,
    top: seen.top - margin,
    right: seen.right + margin,
    bottom: seen.bottom + margin
  });
  const [wide, high] = [region.right - region.left, region.bottom - region.top];
  if (wide <= 0 || high <= 0) return null;
  const voxels = Math.max(wide / panel.spacing[plane.across], high / panel.spacing[plane.down]);
  const finer = Math.ceil((voxels + 2) / MOST_PIXELS);
  if (finer >= step) return null;
  const here = cache.detail(number, plane.name, index);
  const covered = here && Math.max(...here.step) <= finer && contains(extent(here), common(all, seen));
  return covered ? null : [region.left, region.top, region.right, region.bottom];
}
function extent({ left, top, columns, rows, pixel }) {
  return { left, top, right: left + columns * pixel[0], bottom: top + rows * pixel[1] };
}
function common(a, b) {
  return {
    left: Math.max(a.left, b.left),
    top: Math.max(a.top, b.top),
    right: Math.min(a.right, b.right),
    bottom: Math.min(a.bottom, b.bottom)
  };
}
function contains(outer, inner) {
  return outer.left <= inner.left && outer.top <= inner.top && outer.right >= inner.right && outer.bottom >= inner.bottom;
}

// dashboard/components/viewer/slice_viewer.js
var SPOKEN_AFTER_MS = 500;
var LEVEL_HU = (
  /** @type {const} */
  [-1500, 3e3]
);
var WIDTH_HU = (
  /** @type {const} */
  [1, 4e3]
);
var Viewer = class {
  /** @param {HTMLElement | ShadowRoot} parent */
  constructor(parent) {
    this.view = {
      plane: "axial",
      three: false,
      item: 0,
      place: [0, 0, 0],
      camera: { centre: [0, 0, 0], fov: 100 },
      window: { name: "Soft tissue", width: 400, level: 40 },
      outline: true,
      crosshair: false,
      box: true,
      map: "off",
      opacity: 0.5
    };
    this.since = performance.now();
    senderCame();
    this.signature = "";
    this.started = false;
    this.framed = false;
    this.items = [];
    this.windows = [];
    this.planes = {};
    this.panels = [];
    this.slots = [];
    this.outlineColour = [];
    this.ramp = new Uint8Array();
    this.footer = "";
    this.point = null;
    this.clicked = false;
    this.direction = 1;
    this.maps = new MapAnswers();
    this.drawing = 0;
    this.toSay = "";
    this.speaking = void 0;
    this.send = () => {
    };
    this.cache = new SliceCache();
    this.conversation = new Conversation(this);
    this.controls = new Controls(this);
    this.grid = make("div", { class: "panels" });
    this.live = make("div", { class: "unseen", "aria-live": "polite", role: "status" });
    this.help = make(
      "p",
      { class: "help" },
      "Wheel or arrow keys scroll, PageUp and PageDown by 10 mm, Home returns. Drag pans, Ctrl+wheel or + and − zoom, Shift+drag or right drag sets the window, Shift+arrows pan, a click or Enter takes a point."
    );
    this.root = make("div", { class: "viewer" }, this.controls.root, this.grid, this.help, this.live);
    parent.append(this.root);
    this.watcher = new ResizeObserver(() => this.schedule());
    this.watcher.observe(this.root);
    this.stopTelling = tellBeforeDownloads(this.conversation);
  }
  close() {
    senderGone();
    this.stopTelling();
    this.watcher.disconnect();
    this.conversation.close();
    clearTimeout(this.speaking);
    this.root.remove();
  }
  // ---- What comes from the server
  /** @param {import("./message.js").Message} message */
  async receive({ header, blob }) {
    if (header.items && header.signature !== this.signature) this.begin(header, blob);
    if (header.signature !== this.signature) {
      this.conversation.restart();
      this.conversation.ask([], [], "");
      return;
    }
    this.conversation.received(header.seq);
    for (const panel of header.panels) await this.open(panel, blob);
    if (!this.framed && this.panels.some(Boolean)) this.frame();
    this.maps.receive(header.map, blob);
    await Promise.all(header.slices.map((record) => this.cache.add(record, blob)));
    this.schedule();
  }
  /**
   * @param {FirstHeader} header
   * @param {Blob} blob
   */
  begin(header, blob) {
    this.signature = header.signature;
    this.items = header.items;
    this.planes = Object.fromEntries(header.planes.map((plane) => [plane.name, plane]));
    this.windows = header.windows;
    this.outlineColour = header.outline;
    this.ramp = blob(header.ramp).slice();
    this.footer = header.footer;
    this.panels = header.items.map(() => null);
    this.cache = new SliceCache();
    this.maps.map = null;
    this.point = null;
    const { view } = this;
    view.place = [...header.start.place];
    view.item = 0;
    if (!this.started) {
      view.plane = header.start.plane;
      this.chooseWindow(header.start.window);
      this.started = true;
    }
    this.framed = false;
    this.controls.fill(header, this.ramp);
    this.conversation.restart();
    this.arrange();
  }
  /**
   * @param {import("./message.js").Reply["panels"][number]} panel
   * @param {Blob} blob
   */
  async open(panel, blob) {
    if (this.panels[panel.panel]) return;
    this.panels[panel.panel] = panel.kind !== "thumbnail" ? panel : { ...panel, picture: await createImageBitmap(new Blob([blob(panel.png)], { type: "image/png" })) };
  }
  get map() {
    return this.maps.map;
  }
  /** The panels on the page that the server has not opened yet. */
  unopened() {
    const numbers = this.slots.map((slot) => slot.number);
    return [...new Set(numbers)].filter((n) => !this.panels[n]);
  }
  /** The slices that are lacking. */
  wanted() {
    const slots = this.slots.flatMap(({ number, plane, canvas }) => {
      const panel = this.panels[number];
      if (panel?.kind !== "ct") return [];
      const { clientWidth: width, clientHeight: height } = canvas;
      const seen = width ? visible(projection(this.view.camera, plane(), width, height), width, height) : null;
      return [{ number, panel, plane: plane(), seen }];
    });
    return wantedSlices(slots, this.view.place, this.direction, this.cache);
  }
  scans() {
    return this.panels.filter((one) => one?.kind === "ct");
  }
  // ---- What the user does
  /** @param {string} name of a plane, or three */
  showPlane(name) {
    this.view.three = name === "three";
    if (!this.view.three) this.view.plane = name;
    this.arrange();
  }
  /** @param {number} number */
  showItem(number) {
    this.view.item = number;
    this.arrange();
  }
  /** @param {Partial<import("./shown.js").View>} values */
  set(values) {
    Object.assign(this.view, values);
    this.schedule();
  }
  /** @param {string} name */
  chooseMap(name) {
    this.maps.again();
    this.set({ map: name });
  }
  retryMap() {
    this.maps.retry();
    this.schedule();
  }
  /** @param {string} name of a window, or Own */
  chooseWindow(name) {
    const [, width, level] = this.windows.find(([one]) => one === name) ?? [name, this.view.window.width, this.view.window.level];
    this.set({ window: { name, width, level } });
  }
  /**
   * @param {"width" | "level"} which
   * @param {number} value HU
   */
  ownWindow(which, value) {
    if (!Number.isFinite(value) || which === "width" && value < 1) return;
    this.set({ window: { ...this.view.window, name: "Own", [which]: clamp(value, -1500, 4e3) } });
  }
  /**
   * @param {number} dx pixels, for the width
   * @param {number} dy for the level
   */
  dragWindow(dx, dy) {
    const { width, level } = this.view.window;
    const gain = Math.max(width / 300, 0.5);
    this.set({ window: { name: "Own", width: clamp(width + dx * gain, ...WIDTH_HU), level: clamp(level + dy * gain, ...LEVEL_HU) } });
  }
  /**
   * @param {Plane} plane
   * @param {number} steps
   */
  scroll(plane, steps) {
    const { low, high, step } = this.range(plane);
    const place = [...this.view.place];
    place[plane.through] = clamp(Math.round(place[plane.through] / step + steps) * step, low, high);
    this.direction = Math.sign(steps) || 1;
    this.set({ place });
  }
  /** @param {number} mm */
  scrollTo(mm) {
    const axis = this.planes[this.view.plane].through;
    this.direction = Math.sign(mm - this.view.place[axis]) || 1;
    this.set({ place: this.view.place.map((one, i) => i === axis ? mm : one) });
  }
  home() {
    this.frame();
    this.set({ place: [0, 0, 0] });
  }
  frame() {
    const scans = this.scans();
    const pictures = this.panels.filter((one) => one?.kind === "thumbnail");
    this.view.camera = framed(scans, pictures.map((one) => one.pixel_mm * one.picture.width));
    this.framed = scans.length > 0;
  }
  showAll() {
    const scans = this.scans();
    if (scans.length) this.set({ camera: wholeScans(scans) });
  }
  /**
   * @param {Slot} slot
   * @param {number} dx pixels
   * @param {number} dy
   */
  pan(slot, dx, dy) {
    this.set({ camera: panned(this.view.camera, slot.plane(), sizeOf(slot.canvas), dx, dy) });
  }
  /** @param {number} factor */
  zoomMiddle(factor) {
    const slot = this.slots[0];
    if (slot) this.zoom(factor, slot, [slot.canvas.clientWidth / 2, slot.canvas.clientHeight / 2]);
  }
  /**
   * @param {number} factor
   * @param {Slot} slot
   * @param {Pair} at
   */
  zoom(factor, slot, at) {
    this.set({ camera: zoomed(this.view.camera, slot.plane(), sizeOf(slot.canvas), factor, at) });
  }
  /**
   * @param {Slot} slot
   * @param {Pair} at
   */
  pick(slot, at) {
    if (!slot.shown.cut) return;
    const place = this.placeAt(slot, at);
    this.point = { panel: slot.number, place, n: Date.now() };
    this.clicked = true;
    const { through } = slot.plane();
    this.set({ place: place.map((mm, axis) => axis === through ? this.view.place[axis] : mm) });
  }
  /**
   * @param {Slot} slot
   * @param {Pair | null} at
   */
  hover(slot, at) {
    slot.pointer = at;
    this.schedule();
  }
  // ---- What is shown
  /**
   * The place at a pixel of a slot that shows a slice.
   * @param {Slot} slot
   * @param {Pair} at
   */
  placeAt(slot, [x, y]) {
    const plane = slot.plane();
    const { width, height } = sizeOf(slot.canvas);
    const { scale, left, top } = projection(this.view.camera, plane, width, height);
    const place = [...this.view.place];
    place[plane.through] = slot.shown.cut?.position ?? place[plane.through];
    return fromScreen(plane, (x - left) / scale, (y - top) / scale, place);
  }
  /** @param {Plane} plane */
  range(plane) {
    return scrollRange(this.scans(), plane);
  }
  mapText() {
    return this.maps.words(this.view, this.point);
  }
  /** Make the slots anew: a panel an item, or the three planes of one. */
  arrange() {
    const { view } = this;
    const { activeElement } = (
      /** @type {Document | ShadowRoot} */
      this.root.getRootNode()
    );
    const focused = this.slots.findIndex((slot) => slot.canvas === activeElement);
    const wanted = view.three ? Object.keys(this.planes).map((plane) => ({ number: view.item, plane })) : this.items.map((_, number) => ({ number, plane: null }));
    this.slots = wanted.map(({ number, plane }) => newSlot(this, number, plane));
    this.grid.replaceChildren(...this.slots.map((slot) => slot.root));
    if (focused >= 0) this.slots[Math.min(focused, this.slots.length - 1)].canvas.focus();
    this.schedule();
  }
  schedule() {
    if (this.drawing) return;
    this.drawing = requestAnimationFrame(() => {
      this.drawing = 0;
      if (!this.items.length) return;
      this.draw();
      this.conversation.next();
    });
  }
  draw() {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    for (const slot of this.slots) {
      slot.shown = shownOf(slot.number, slot.plane(), this);
      const { width, height } = sizeOf(slot.canvas);
      if (!width) continue;
      const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
      if (slot.canvas.width !== across || slot.canvas.height !== down) Object.assign(slot.canvas, { width: across, height: down });
      paint(contextOf(slot.canvas), width, height, ratio, slot.shown, this);
      describe(slot, this);
    }
    this.controls.update();
    this.speak();
  }
  /** Say slice and window once they rest. */
  speak() {
    const { view } = this;
    const first = this.slots.find((slot) => slot.shown.cut);
    const plane = first ? first.plane() : this.planes[view.plane];
    const said = `${view.three ? "Three planes" : PLANE_WORDS[plane.name]}, ${offsetWords(plane, view.place)}. ${first ? first.place.textContent : ""}. ${windowWords(view)}`;
    if (said === this.toSay) return;
    this.toSay = said;
    clearTimeout(this.speaking);
    this.speaking = setTimeout(() => {
      this.live.textContent = said;
    }, SPOKEN_AFTER_MS);
  }
};
var sizeOf = ({ clientWidth, clientHeight }) => ({ width: clientWidth, height: clientHeight });

// dashboard/components/viewer/viewer.js
var VIEWERS = /* @__PURE__ */ new WeakMap();
function slices({ data, parentElement }) {
  const viewer = VIEWERS.get(parentElement) ?? new Viewer(parentElement);
  VIEWERS.set(parentElement, viewer);
  const connection = connectionOf(data.channel);
  viewer.send = (request) => askFrom(viewer.since, () => connection.send?.(request));
  if (connection.viewer !== viewer) {
    connection.viewer = viewer;
    if (connection.message) viewer.receive(connection.message);
  }
  return () => {
    viewer.close();
    VIEWERS.delete(parentElement);
    if (connection.viewer === viewer) connection.viewer = null;
  };
}
export {
  slices as default
};
