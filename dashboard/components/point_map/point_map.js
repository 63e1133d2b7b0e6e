// The map: wheel and drag move it, a lasso, a box or a click selects, and the selection is sent as a shape or an id.

import { contextOf } from "../elements.js";
import { askFrom, senderCame, senderGone } from "../leaving.js";
import { Camera, placed, radiusOf, WHOLE } from "./camera.js";
import { readContents } from "./contents.js";
import { drawDensity, drawPoints } from "./drawing.js";
import { Frame, textColour } from "./frame.js";
import { listen } from "./gestures.js";
import { modeOf, nearest, nextPoint, pointsNear, rarestLast, selectWithin, unpacked } from "./selection.js";
import { askForThumbnails, onThumbnails, thumbnails } from "./thumbnails.js";
import { tipContents, tipPlace } from "./tip.js";

/**
 * @typedef {import("./selection.js").Pair} Pair
 * @typedef {import("./selection.js").Mode} Mode
 * @typedef {import("./camera.js").Zoom} Zoom
 * @typedef {{kind: "item", item: string} | {kind: "group", group: string} | {kind: "lasso" | "box", polygon: Pair[]}} Pick
 * @typedef {{picked: Pick & {mode: Mode, token: string}, viewport: number[]}} State
 * @typedef {import("@streamlit/component-v2-lib").FrontendRendererArgs<State, import("../browser_payload.js").Bytes>} Component
 */

const HEIGHT = 560;
const NEAR_PX = 14;
const THUMBNAILS = { within: 160, most: 36 };
const ASK_AFTER_MS = 160;

export class PointMap {
  /** @param {HTMLElement | ShadowRoot} root */
  constructor(root) {
    this.root = root;
    this.since = performance.now();
    senderCame();
    this.size = { width: 0, height: HEIGHT };
    this.ratio = 1;
    /** @type {Readonly<Zoom>} */
    this.zoom = WHOLE;
    /** @type {import("./contents.js").Contents | null} */
    this.contents = null;
    this.xs = new Float32Array();
    this.ys = new Float32Array();
    this.selected = new Uint8Array();
    this.order = new Uint32Array();
    this.anySelected = false;
    this.focusPoint = -1; // The point that the arrow keys went to.
    this.tipPoint = -1;
    this.turn = 0;
    this.drawing = 0;
    this.hovering = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.asking = undefined;
    /** @type {Component["data"] | undefined} */
    this.lastData = undefined;
    /** @type {Component["setTriggerValue"]} */
    this.send = () => {};
    /** @type {Component["setStateValue"]} */
    this.setState = () => {};
    this.frame = new Frame({ zoom: (factor) => this.zoomAround(factor), whole: () => this.showWhole() });
    root.append(this.frame.root);
    listen(this.frame, this);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.frame.stage);
    this.stopListening = onThumbnails(() => { if (!this.frame.tip.hidden && this.tipPoint >= 0) this.showTip(this.tipPoint); });
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
    // For whoever drives the page from outside: what is shown now.
    Object.assign(hostOf(this.root).dataset, {
      mapPainted: String(performance.now()), mapSelected: String(header.n_selected), mapMode: header.mode,
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
        ...size, groups, ratio, xs, ys, order, selected, anySelected, codes: contents.arrays.code,
        radius: radiusOf(xs.length / this.zoom.scale ** 2), ink: textColour(this.frame.canvas),
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
      // Shown at once; the server says the same a moment later.
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
    if (token !== undefined) askFrom(this.since, () => this.send("picked", { ...what, mode, token }));
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
    this.focusPoint = this.focusPoint < 0 ? nearest(this.xs, this.ys, this.size.width / 2, this.size.height / 2, 1e6)
      : nextPoint(this.xs, this.ys, this.focusPoint, direction);
    if (this.focusPoint < 0) return;
    this.showTip(this.focusPoint);
    // biome-ignore lint/performance/useDomNodeTextContent: the lines as they are shown are read out one by one
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
    const lacks = (/** @type {number} */ one) => !thumbnails().has(store + ids[one]);
    // Those round it too, so that the next pictures are there already.
    if (lacks(point)) askForThumbnails(pointsNear(this.xs, this.ys, point, lacks, THUMBNAILS).map((one) => ids[one]));
    tip.replaceChildren(...tipContents(this.points.text, point, thumbnails().get(store + ids[point])));
    tip.hidden = false;
    const [left, top] = tipPlace(this.xs[point], this.ys[point], this.size, { width: tip.offsetWidth, height: tip.offsetHeight });
    tip.style.transform = `translate(${left}px, ${top}px)`;
  }
}

/**
 * @param {HTMLElement | ShadowRoot} root
 * @returns {HTMLElement}
 */
function hostOf(root) {
  return root instanceof ShadowRoot ? /** @type {HTMLElement} */ (root.host) : root;
}

/** @param {Component} component */
export default function map(component) {
  const root = /** @type {(HTMLElement | ShadowRoot) & {pointMap?: PointMap}} */ (component.parentElement);
  root.pointMap ??= new PointMap(root);
  root.pointMap.update(component);
  // Called between two updates as well as at the end: only what has left the page is taken down.
  return () => setTimeout(() => {
    if (hostOf(root).isConnected || !root.pointMap) return;
    root.pointMap.destroy();
    root.pointMap = undefined;
  });
}
