// What the hands do on the map: lasso, box, click, wheel and keys.

import { contextOf, pointerAt } from "../elements.js";
import { boxCorners, lassoCorners, modeOf } from "./selection.js";

/** @typedef {import("./selection.js").Pair} Pair */

const CLICK_PX = 4;
const CLICK_TURNS = 12;
/** @type {Record<string, Pair>} */
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Whether a press was a click: it ended where it began, without much between.
 * @param {Pair[]} path
 * @param {Pair} end
 */
export function isClick(path, end) {
  return Math.hypot(end[0] - path[0][0], end[1] - path[0][1]) < CLICK_PX && path.length < CLICK_TURNS;
}

/**
 * @param {import("./frame.js").Frame} frame
 * @param {import("./point_map.js").PointMap} map
 */
export function listen(frame, map) {
  const { canvas, overlay } = frame;
  /** @type {{path: Pair[], last: Pair} | null} */
  let drag = null;
  /** @param {MouseEvent} event */
  const at = (event) => pointerAt(canvas, event);

  const drop = () => {
    drag = null;
    contextOf(overlay).clearRect(0, 0, overlay.width, overlay.height);
  };

  /** @param {Pair[]} path */
  const corners = (path) => (frame.tool === "box" ? boxCorners(path[0], path[path.length - 1]) : lassoCorners(path));

  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    map.hideTip();
    map.zoomAround(Math.exp(-event.deltaY / 400), at(event));
  }, { passive: false });

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    drag = { path: [at(event)], last: at(event) };
    map.hideTip();
  });

  canvas.addEventListener("pointermove", (event) => {
    const here = at(event);
    if (!drag) {
      map.hover(here);
      return;
    }
    if (frame.tool === "move") {
      map.pan(here[0] - drag.last[0], here[1] - drag.last[1]);
      drag.last = here;
      return;
    }
    drag.path.push(here);
    sketch(canvas, overlay, map.ratio, corners(drag.path));
  });

  canvas.addEventListener("pointerup", (event) => {
    if (!drag) return;
    const { path } = drag;
    drop();
    const shape = corners(path);
    if (isClick(path, at(event))) map.pickNearest(at(event), modeOf(event));
    else if (frame.tool !== "move" && shape.length > 2) map.pickShape(frame.tool, shape, modeOf(event));
  });
  canvas.addEventListener("pointercancel", drop);
  canvas.addEventListener("pointerleave", () => { if (!drag) map.hideTip(); });
  canvas.addEventListener("dblclick", () => map.showWhole());
  canvas.addEventListener("blur", () => map.leavePoint());

  canvas.addEventListener("keydown", (event) => {
    /** @type {Record<string, () => void>} */
    const actions = {
      Escape: () => {
        drop();
        map.leavePoint();
      },
      "+": () => map.zoomAround(1.4),
      "=": () => map.zoomAround(1.4),
      "-": () => map.zoomAround(1 / 1.4),
      0: () => map.showWhole(),
    };
    if (map.focusPoint >= 0) actions.Enter = () => map.pickPoint(map.focusPoint, modeOf(event));
    const step = STEPS[event.key];
    const action = step && map.points ? () => map.step(step) : actions[event.key];
    if (!action) return;
    action();
    event.preventDefault();
  });
}

/**
 * The lasso or box that is being drawn.
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLCanvasElement} overlay
 * @param {number} ratio
 * @param {Pair[]} corners
 */
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
