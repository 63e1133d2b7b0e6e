// The viewer: what is shown, what the user does to it, and the panels on the page.

import { contextOf, make } from "../elements.js";
import { senderCame, senderGone } from "../leaving.js";
import { framed, panned, scrollRange, wholeScans, zoomed } from "./camera.js";
import { Controls } from "./controls.js";
import { Conversation } from "./conversation.js";
import { tellBeforeDownloads } from "./downloads.js";
import { clamp, fromScreen, projection, visible } from "./geometry.js";
import { MapAnswers } from "./map_answers.js";
import { paint } from "./painting.js";
import { offsetWords, PLANE_WORDS, shownOf, windowWords } from "./shown.js";
import { SliceCache } from "./slices.js";
import { describe, newSlot } from "./slots.js";
import { wantedSlices } from "./wanted.js";

/**
 * @typedef {import("./geometry.js").Pair} Pair
 * @typedef {import("./geometry.js").Place} Place
 * @typedef {import("./geometry.js").Plane} Plane
 * @typedef {import("./message.js").Blob} Blob
 * @typedef {import("./message.js").Reply & import("./message.js").Beginning} FirstHeader
 * @typedef {import("./slots.js").Slot} Slot
 */

const SPOKEN_AFTER_MS = 500;
const LEVEL_HU = /** @type {const} */ ([-1500, 3000]);
const WIDTH_HU = /** @type {const} */ ([1, 4000]);

export class Viewer {
  /** @param {HTMLElement | ShadowRoot} parent */
  constructor(parent) {
    /** @type {import("./shown.js").View} */
    this.view = {
      plane: "axial", three: false, item: 0, place: [0, 0, 0], camera: { centre: [0, 0, 0], fov: 100 },
      window: { name: "Soft tissue", width: 400, level: 40 },
      outline: true, crosshair: false, box: true, map: "off", opacity: 0.5,
    };
    this.since = performance.now();
    senderCame();
    this.signature = "";
    this.started = false;
    this.framed = false;
    /** @type {import("./message.js").Beginning["items"]} Empty until the server has said what is shown. */
    this.items = [];
    /** @type {import("./message.js").Beginning["windows"]} */
    this.windows = [];
    /** @type {Record<string, Plane>} */
    this.planes = {};
    /** @type {(import("./shown.js").Panel | null)[]} */
    this.panels = [];
    /** @type {Slot[]} */
    this.slots = [];
    /** @type {number[]} */
    this.outlineColour = [];
    this.ramp = new Uint8Array();
    this.footer = "";
    /** @type {import("./message.js").Point | null} */
    this.point = null;
    this.clicked = false;
    this.direction = 1;
    this.maps = new MapAnswers();
    this.drawing = 0;
    this.toSay = "";
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.speaking = undefined;
    /** @type {(request: import("./message.js").Request) => void} */
    this.send = () => {};
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
      // The page kept its state and this viewer is new: it has to be told everything.
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
    this.panels[panel.panel] = panel.kind !== "thumbnail" ? panel
      : { ...panel, picture: await createImageBitmap(new Blob([blob(panel.png)], { type: "image/png" })) };
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
    if (!Number.isFinite(value) || (which === "width" && value < 1)) return;
    this.set({ window: { ...this.view.window, name: "Own", [which]: clamp(value, -1500, 4000) } });
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
    this.set({ place: this.view.place.map((one, i) => (i === axis ? mm : one)) });
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
    this.set({ place: place.map((mm, axis) => (axis === through ? this.view.place[axis] : mm)) });
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
    const { activeElement } = /** @type {Document | ShadowRoot} */ (this.root.getRootNode());
    const focused = this.slots.findIndex((slot) => slot.canvas === activeElement);
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
    const said = `${view.three ? "Three planes" : PLANE_WORDS[plane.name]}, ${offsetWords(plane, view.place)}. `
      + `${first ? first.place.textContent : ""}. ${windowWords(view)}`;
    if (said === this.toSay) return;
    this.toSay = said;
    clearTimeout(this.speaking);
    this.speaking = setTimeout(() => { this.live.textContent = said; }, SPOKEN_AFTER_MS);
  }
}

/** @param {HTMLCanvasElement} canvas */
const sizeOf = ({ clientWidth, clientHeight }) => ({ width: clientWidth, height: clientHeight });
