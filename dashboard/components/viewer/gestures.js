// Wheel, mouse, touch and keys on a canvas.

import { pointerAt } from "../elements.js";

/** @typedef {import("./geometry.js").Pair} Pair */

const DRAG_PX = 4;
export const ZOOM_STEP = 1.15;
const PAGE_MM = 10;
const NOTCH_PX = 50;

/** A wheel in whole steps: a notch is some 100 pixels or 3 lines; a touchpad sends many small turns. */
export class Wheel {
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
}

/**
 * How much closer two fingers bring what they touch, of which one moves.
 * @param {Pair} before
 * @param {Pair} now
 * @param {Pair} other the finger that rests
 */
export function pinch(before, now, other) {
  return distance(now, other) / Math.max(distance(before, other), 1);
}

/**
 * @param {Pair} a
 * @param {Pair} b
 */
const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

/**
 * Listen on the canvas of a slot. All panels follow, so that what is done to one is done to the view.
 * @param {import("./slots.js").Slot} slot
 * @param {import("./slice_viewer.js").Viewer} viewer
 */
export function listen(slot, viewer) {
  const { canvas } = slot;
  /** @type {Map<number, Pair>} */
  const pointers = new Map();
  /** @type {{last: Pair, moved: number, windowing: boolean, button: number} | null} */
  let drag = null;
  const wheel = new Wheel();
  /** @param {MouseEvent} event */
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

  /** @param {PointerEvent} event */
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
    /** @type {Pair} */
    const middle = [canvas.clientWidth / 2, canvas.clientHeight / 2];
    /** @type {Record<string, () => void>} */
    const shifted = {
      ArrowUp: () => viewer.pan(slot, 0, 20),
      ArrowDown: () => viewer.pan(slot, 0, -20),
      ArrowLeft: () => viewer.pan(slot, 20, 0),
      ArrowRight: () => viewer.pan(slot, -20, 0),
    };
    /** @type {Record<string, () => void>} */
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
      Enter: () => viewer.pick(slot, middle),
    };
    const action = (event.shiftKey && shifted[event.key]) || actions[event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation(); // Streamlit has keys of its own.
    action();
  });
}
