// The viewer: what is shown, what the user does to it, and the panels on the page.

const SPOKEN_AFTER_MS = 500;
const VIEWERS = new WeakMap();

class Viewer {
  constructor(parent) {
    this.view = {
      plane: "axial", three: false, item: 0, place: [0, 0, 0], camera: { centre: [0, 0, 0], fov: 100 },
      window: { name: "Soft tissue", width: 400, level: 40 },
      outline: true, crosshair: false, box: true, map: "off", opacity: 0.5,
    };
    this.since = performance.now();
    senderCame();
    this.signature = "";
    this.panels = [];
    this.slots = [];
    this.planes = {};
    this.point = null;
    this.direction = 1;
    this.attempt = 0; // When a map that failed was asked for again, ms since 1970.
    this.framed = false;
    this.cache = new SliceCache();
    this.conversation = new Conversation(this);
    this.controls = new Controls(this);
    this.grid = make("div", { class: "panels" });
    this.live = make("div", { class: "unseen", "aria-live": "polite", role: "status" });
    this.help = make("p", { class: "help" },
      "Wheel or arrow keys scroll, PageUp and PageDown by 10 mm, Home returns. Drag pans, Ctrl+wheel or + and − zoom, " +
      "Shift+drag or right drag sets the window, Shift+arrows pan, a click or Enter takes a point.");
    this.root = make("div", { class: "viewer" }, this.controls.root, this.grid, this.help, this.live);
    parent.append(this.root);
    this.watcher = new ResizeObserver(() => this.schedule());
    this.watcher.observe(this.root);
    this.listening = new AbortController();
    document.addEventListener("click", (event) => this.beforeDownload(event), { capture: true, signal: this.listening.signal });
  }

  close() {
    senderGone();
    this.listening.abort();
    this.watcher.disconnect();
    this.conversation.close();
    clearTimeout(this.speaking);
    this.root.remove();
  }

  // ---- What comes from the server

  async receive({ header, blob }) {
    if (header.items && header.signature !== this.signature) this.begin(header, blob);
    if (header.signature !== this.signature) {
      // The page kept its state and this viewer is new: it has to be told everything.
      this.conversation.restart();
      this.conversation.ask([], [], "");
      return;
    }
    this.conversation.received(header.seq);
    for (const panel of header.panels) await this.open(panel, blob);
    if (!this.framed && this.panels.some((one) => one)) this.frame();
    this.takeMap(header.map, blob);
    await Promise.all(header.slices.map((record) => this.cache.add(record, blob)));
    this.schedule();
  }

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
    this.map = null;
    this.point = null;
    const { view } = this;
    view.place = [...header.start.place];
    view.item = 0;
    if (!this.started) {
      view.plane = header.start.plane;
      const [name, width, level] = this.windows.find(([one]) => one === header.start.window);
      view.window = { name, width, level };
      this.started = true;
    }
    this.framed = false;
    this.controls.fill(this.items, this.windows, header.maps, this.ramp);
    this.conversation.restart();
    this.arrange();
  }

  async open(panel, blob) {
    if (this.panels[panel.panel]) return;
    const found = { ...panel };
    if (panel.kind === "thumbnail") {
      found.picture = await createImageBitmap(new Blob([blob(panel.png)], { type: "image/png" }));
    }
    this.panels[panel.panel] = found;
  }

  takeMap(map, blob) {
    // The user may have clicked again meanwhile: the answer is to what was asked.
    this.mapFor = this.conversation.question;
    if (!map) return;
    if (map.same) {
      this.map = { ...this.map, waiting: map.waiting };
      return;
    }
    this.map = { ...map, grids: map.grids.map((grid) => ({ ...grid, values: blob(grid.values).slice() })) };
  }

  mapQuestion() {
    return JSON.stringify([this.view.map, this.view.map === "similarity" ? this.point : null]);
  }

  /** Whether a map is wanted that was not asked for yet, or whose answer is on its way. */
  waitsForMap() {
    const { view } = this;
    if (view.map === "off" || (view.map === "similarity" && !this.point)) return false;
    return this.mapFor !== this.mapQuestion();
  }

  unopened() {
    const numbers = this.slots.map((slot) => slot.number);
    return [...new Set(numbers)].filter((n) => !this.panels[n]);
  }

  // ---- What the user does

  showPlane(name) {
    this.view.three = name === "three";
    if (!this.view.three) this.view.plane = name;
    this.arrange();
  }

  showItem(number) {
    this.view.item = number;
    this.arrange();
  }

  set(name, value) {
    this.view[name] = value;
    this.schedule();
  }

  chooseMap(name) {
    this.view.map = name;
    this.mapFor = undefined;
    this.schedule();
  }

  retryMap() {
    this.attempt = Date.now();
    this.mapFor = undefined;
    this.schedule();
  }

  chooseWindow(name) {
    const found = this.windows.find(([one]) => one === name);
    this.view.window = found ? { name, width: found[1], level: found[2] } : { ...this.view.window, name };
    this.schedule();
  }

  ownWindow(which) {
    const value = Number(this.controls[which].value);
    if (!Number.isFinite(value) || (which === "width" && value < 1)) return;
    this.view.window = { ...this.view.window, name: "Own", [which]: clamp(value, -1500, 4000) };
    this.schedule();
  }

  dragWindow(dx, dy) {
    const { width, level } = this.view.window;
    const gain = Math.max(width / 300, 0.5);
    this.view.window = { name: "Own", width: clamp(width + dx * gain, 1, 4000), level: clamp(level + dy * gain, -1500, 3000) };
    this.schedule();
  }

  scroll(plane, steps) {
    const { low, high, step } = this.range(plane);
    const place = [...this.view.place];
    place[plane.through] = clamp(Math.round(place[plane.through] / step + steps) * step, low, high);
    this.direction = Math.sign(steps) || 1;
    this.view.place = place;
    this.schedule();
  }

  scrollTo(mm) {
    const axis = this.planes[this.view.plane].through;
    this.direction = Math.sign(mm - this.view.place[axis]) || 1;
    this.view.place = this.view.place.map((one, i) => (i === axis ? mm : one));
    this.schedule();
  }

  home() {
    this.view.place = [0, 0, 0];
    this.frame();
    this.schedule();
  }

  /** Look at what was embedded, or at all where that is not known. */
  frame() {
    const opened = this.panels.filter((one) => one?.kind === "ct");
    const boxes = opened.filter((one) => one.box).map(({ box: [low, high] }) => Math.max(...high.map((mm, i) => mm - low[i])));
    const whole = Math.max(...opened.map((one) => Math.max(...one.shape.map((n, i) => n * one.spacing[i]))), 0);
    const stored = this.panels.filter((one) => one?.kind === "thumbnail").map((one) => one.pixel_mm * one.picture.width);
    const box = Math.max(...boxes, 0);
    const fov = box ? Math.min(whole, Math.max(100, box + Math.min(0.6 * box, 60))) : whole;
    this.view.camera = { centre: [0, 0, 0], fov: fov || Math.max(...stored, 100) };
    this.framed = opened.length > 0;
  }

  fit() {
    const opened = this.panels.filter((one) => one?.kind === "ct");
    if (!opened.length) return;
    const ends = opened.flatMap((one) => one.shape.map((n, i) =>
      2 * Math.max(one.centre[i] + 0.5, n - 0.5 - one.centre[i]) * one.spacing[i]));
    this.view.camera = { centre: [0, 0, 0], fov: Math.max(...ends) };
    this.schedule();
  }

  pan(slot, dx, dy) {
    const { camera } = this.view;
    const plane = slot.plane();
    const { scale } = projection(camera, plane, slot.canvas.clientWidth, slot.canvas.clientHeight);
    const [right, down] = onScreen(plane, camera.centre);
    camera.centre = fromScreen(plane, right - dx / scale, down - dy / scale, camera.centre);
    this.schedule();
  }

  zoomMiddle(factor) {
    const slot = this.slots[0];
    if (slot) this.zoom(factor, slot, [slot.canvas.clientWidth / 2, slot.canvas.clientHeight / 2]);
  }

  zoom(factor, slot, [x, y]) {
    const { camera } = this.view;
    const plane = slot.plane();
    const [width, height] = [slot.canvas.clientWidth, slot.canvas.clientHeight];
    const before = projection(camera, plane, width, height);
    camera.fov = clamp(camera.fov / factor, 5, 2000);
    const after = projection(camera, plane, width, height);
    // What is under the pointer stays there.
    const [right, down] = onScreen(plane, camera.centre);
    camera.centre = fromScreen(plane,
      right + (x - before.left) / before.scale - (x - after.left) / after.scale,
      down + (y - before.top) / before.scale - (y - after.top) / after.scale, camera.centre);
    this.schedule();
  }

  pick(slot, at) {
    if (!slot.shown.slice) return;
    const place = this.placeAt(slot, at);
    this.point = { panel: slot.number, place, n: Date.now() };
    const { through } = slot.plane();
    this.view.place = place.map((mm, axis) => (axis === through ? this.view.place[axis] : mm));
    this.clicked = true;
    this.schedule();
  }

  hover(slot, at) {
    slot.pointer = at;
    this.schedule();
  }

  /** The server makes the files of the page from what it knows to be shown: tell it before the button is pressed. */
  beforeDownload(event) {
    const button = event.target.closest("[data-testid=stDownloadButton] button");
    if (!button || !this.items || this.conversation.known()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    this.conversation.tellThen(() => button.click());
  }

  // ---- What is shown

  placeAt(slot, [x, y]) {
    const plane = slot.plane();
    const { scale, left, top } = projection(this.view.camera, plane, slot.canvas.clientWidth, slot.canvas.clientHeight);
    const place = [...this.view.place];
    place[plane.through] = slot.shown.position;
    return fromScreen(plane, (x - left) / scale, (y - top) / scale, place);
  }

  stepOf(plane) {
    const spacings = this.panels.filter((one) => one?.kind === "ct").map((one) => one.spacing[plane.through]);
    return spacings.length ? Math.min(...spacings) : 1;
  }

  /** How far one can scroll, in whole steps. */
  range(plane) {
    const step = this.stepOf(plane);
    const opened = this.panels.filter((one) => one?.kind === "ct");
    const low = Math.min(0, ...opened.map((one) => slicePosition(one, plane, 0)));
    const high = Math.max(0, ...opened.map((one) => slicePosition(one, plane, one.shape[plane.through] - 1)));
    return { low: Math.floor(low / step) * step, high: Math.ceil(high / step) * step, step };
  }

  offsetWords(plane = this.planes[this.view.plane]) {
    const mm = this.view.place[plane.through];
    const [on, back] = WAYS[plane.name];
    return Math.abs(mm) < 0.05 ? "at the centre" : `${Math.abs(mm).toFixed(1)} mm ${mm > 0 ? on : back}`;
  }

  windowWords() {
    const { name, width, level } = this.view.window;
    return `window ${name}, width ${Math.round(width)}, level ${signed(Math.round(level))} HU`;
  }

  mapText() {
    return mapWords(this.view, this.waitsForMap() ? null : this.map, this.point, this.saidOfPoint ?? "Cosine similarity with the patch under the ring.");
  }

  /** Make the slots anew: a panel an item, or the three planes of one. */
  arrange() {
    const { view } = this;
    const focused = this.slots.findIndex((slot) => slot.canvas === slot.canvas.getRootNode().activeElement);
    const wanted = view.three ? Object.keys(this.planes).map((plane) => ({ number: view.item, plane }))
      : this.items.map((_, number) => ({ number, plane: null }));
    this.slots = wanted.map(({ number, plane }) => newSlot(this, number, plane));
    this.grid.replaceChildren(...this.slots.map((slot) => slot.root));
    if (focused >= 0) this.slots[Math.min(focused, this.slots.length - 1)].canvas.focus();
    this.schedule();
  }

  schedule() {
    if (this.drawing) return;
    this.drawing = requestAnimationFrame(() => {
      this.drawing = 0;
      if (!this.items) return;
      this.draw();
      this.conversation.next();
    });
  }

  draw() {
    for (const slot of this.slots) {
      look(slot, this);
      const { clientWidth: width, clientHeight: height } = slot.canvas;
      if (!width) continue;
      const ratio = Math.min(window.devicePixelRatio || 1, 2);
      const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
      if (slot.canvas.width !== across || slot.canvas.height !== down) Object.assign(slot.canvas, { width: across, height: down });
      paint(slot.canvas.getContext("2d"), width, height, ratio, slot.shown, this);
      describe(slot, this);
    }
    this.controls.update();
    this.speak();
  }

  /** Say slice and window once they rest. */
  speak() {
    const first = this.slots.find((slot) => slot.shown.slice);
    const plane = first ? first.plane() : this.planes[this.view.plane];
    const said = `${this.view.three ? "Three planes" : PLANE_WORDS[plane.name]}, ${this.offsetWords(plane)}. `
      + `${first ? first.place.textContent : ""}. ${this.windowWords()}`;
    if (said === this.toSay) return;
    this.toSay = said;
    clearTimeout(this.speaking);
    this.speaking = setTimeout(() => { this.live.textContent = said; }, SPOKEN_AFTER_MS);
  }
}

export default function slices({ data, parentElement }) {
  let viewer = VIEWERS.get(parentElement);
  if (!viewer) {
    viewer = new Viewer(parentElement);
    VIEWERS.set(parentElement, viewer);
  }
  const line = lineOf(data.channel);
  viewer.send = (request) => askFrom(viewer.since, () => line.send?.(request));
  if (line.viewer !== viewer) {
    line.viewer = viewer;
    if (line.message) viewer.receive(line.message);
  }
  return () => {
    viewer.close();
    VIEWERS.delete(parentElement);
    if (line.viewer === viewer) line.viewer = null;
  };
}
