// What is drawn on one canvas, from back to front.

import { onScreen, projection, scaleBarLength } from "./geometry.js";
import { paintPatches } from "./patch_overlay.js";
import { greyOf, outlineOf } from "./slices.js";

/**
 * @typedef {CanvasRenderingContext2D} Context
 * @typedef {import("./geometry.js").Plane} Plane
 * @typedef {import("./geometry.js").Projection} Projection
 * @typedef {import("./shown.js").Cut} Cut
 * @typedef {import("./shown.js").Scene} Scene
 * @typedef {import("./slices.js").Slice} Slice
 */

export const INK = "#ffffff";
const CROSSHAIR = "#56b4e9"; // Okabe-Ito sky blue: told from the orange outline without colour vision.
const BOX = "#f0e442"; // Okabe-Ito yellow, dashed.

/**
 * Draw a panel in a plane.
 * @param {Context} context
 * @param {number} width CSS pixels
 * @param {number} height
 * @param {number} ratio pixels of the canvas in a CSS pixel
 * @param {import("./shown.js").Shown} shown
 * @param {Scene} scene
 */
export function paint(context, width, height, ratio, shown, scene) {
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

/**
 * The middle of a pixel, where a thin line is not smeared over two.
 * @param {number} at
 */
const crisp = (at) => Math.floor(at) + 0.5;

/**
 * @param {Context} context
 * @param {Projection} place
 * @param {Slice} slice
 * @param {{width: number, level: number}} window
 */
function paintSlice(context, place, slice, { width, level }) {
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(
    greyOf(slice, width, level),
    place.left + slice.left * place.scale,
    place.top + slice.top * place.scale,
    slice.columns * slice.pixel[0] * place.scale,
    slice.rows * slice.pixel[1] * place.scale,
  );
}

/**
 * @param {Context} context
 * @param {Projection} place
 * @param {ImageBitmap} picture
 * @param {number} pixelMm
 */
function paintThumbnail(context, place, picture, pixelMm) {
  const edge = picture.width * pixelMm;
  context.imageSmoothingEnabled = true;
  context.drawImage(picture, place.left - (edge / 2) * place.scale, place.top - (edge / 2) * place.scale,
    edge * place.scale, edge * place.scale);
}

/**
 * @param {Context} context
 * @param {Projection} place
 * @param {Slice} slice
 * @param {number[]} colour
 */
function paintOutline(context, place, slice, colour) {
  const path = outlineOf(slice);
  if (!path) return;
  const scaled = new Path2D();
  scaled.addPath(path, new DOMMatrix([
    slice.pixel[0] * place.scale, 0, 0, slice.pixel[1] * place.scale,
    place.left + slice.left * place.scale, place.top + slice.top * place.scale,
  ]));
  context.lineWidth = 1.6;
  context.lineCap = "square";
  context.strokeStyle = `rgb(${colour.join(",")})`;
  context.stroke(scaled);
  context.lineCap = "butt";
}

/**
 * The box that was embedded, where this slice cuts it.
 * @param {Context} context
 * @param {Projection} place
 * @param {Plane} plane
 * @param {number[][]} box
 * @param {number} position
 */
function paintBox(context, place, plane, [low, high], position) {
  if (position < low[plane.through] || position > high[plane.through]) return;
  const [a, b] = [onScreen(plane, low), onScreen(plane, high)];
  const [left, top] = [Math.min(a[0], b[0]), Math.min(a[1], b[1])];
  context.strokeStyle = BOX;
  context.lineWidth = 1.4;
  context.setLineDash([6, 4]);
  const [x, y] = [crisp(place.left + left * place.scale), crisp(place.top + top * place.scale)];
  context.strokeRect(x, y, crisp(place.left + Math.max(a[0], b[0]) * place.scale) - x,
    crisp(place.top + Math.max(a[1], b[1]) * place.scale) - y);
  context.setLineDash([]);
}

/**
 * @param {Context} context
 * @param {Projection} place
 * @param {number} width
 * @param {number} height
 * @param {Plane} plane
 * @param {import("./geometry.js").Place} at
 */
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

/**
 * A ring where the user clicked, on slices that contain the point.
 * @param {Context} context
 * @param {Projection} place
 * @param {Plane} plane
 * @param {Cut} cut
 * @param {import("./geometry.js").Place} point
 */
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

/**
 * @param {Context} context
 * @param {number} width
 * @param {number} height
 * @param {Plane} plane
 */
function paintLetters(context, width, height, plane) {
  const [left, right, top, bottom] = plane.letters;
  write(context, left, 6, height / 2, "left", "middle");
  write(context, right, width - 6, height / 2, "right", "middle");
  write(context, top, width / 2, 5, "center", "top");
  write(context, bottom, width / 2, height - 5, "center", "bottom");
}

/**
 * @param {Context} context
 * @param {number} width
 * @param {number} height
 * @param {number} scale
 */
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

/**
 * White letters with a black rim, which are read on any grey.
 * @param {Context} context
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {CanvasTextAlign} align
 * @param {CanvasTextBaseline} baseline
 */
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
