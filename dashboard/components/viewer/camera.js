// What the camera of all panels does: it frames, zooms and pans. Cameras are never changed; each act gives a new one.

import { clamp, fromScreen, onScreen, projection, slicePosition } from "./geometry.js";

/**
 * @typedef {import("./geometry.js").Camera} Camera
 * @typedef {import("./geometry.js").Grid} Grid
 * @typedef {import("./geometry.js").Plane} Plane
 * @typedef {{width: number, height: number}} Size of a canvas, in CSS pixels
 */

const FOV_MM = /** @type {const} */ ([5, 2000]);
const LEAST_FRAME_MM = 100;
const MOST_MARGIN_MM = 60;

/**
 * Look at what was embedded, or at all where that is not known.
 * @param {(Grid & {box: number[][] | null})[]} scans
 * @param {number[]} thumbnails edges in mm of the pictures that are shown in place of scans
 * @returns {Camera}
 */
export function framed(scans, thumbnails) {
  const box = Math.max(0, ...scans.map((one) => (one.box ? longest(one.box[1].map((mm, i) => mm - (one.box?.[0][i] ?? 0))) : 0)));
  const whole = Math.max(0, ...scans.map((one) => longest(one.shape.map((n, i) => n * one.spacing[i]))));
  const fov = box ? Math.min(whole, Math.max(LEAST_FRAME_MM, box + Math.min(0.6 * box, MOST_MARGIN_MM))) : whole;
  return { centre: [0, 0, 0], fov: fov || Math.max(...thumbnails, LEAST_FRAME_MM) };
}

/** @param {number[]} lengths */
const longest = (lengths) => Math.max(...lengths);

/**
 * All of every scan, each around its item's centre.
 * @param {Grid[]} scans
 * @returns {Camera}
 */
export function wholeScans(scans) {
  const ends = scans.flatMap((one) => one.shape.map((n, i) =>
    2 * Math.max(one.centre[i] + 0.5, n - 0.5 - one.centre[i]) * one.spacing[i]));
  return { centre: [0, 0, 0], fov: Math.max(...ends) };
}

/**
 * @param {Camera} camera
 * @param {Plane} plane
 * @param {Size} size
 * @param {number} dx pixels
 * @param {number} dy
 * @returns {Camera}
 */
export function panned(camera, plane, { width, height }, dx, dy) {
  const { scale } = projection(camera, plane, width, height);
  const [right, down] = onScreen(plane, camera.centre);
  return { ...camera, centre: fromScreen(plane, right - dx / scale, down - dy / scale, camera.centre) };
}

/**
 * Closer by a factor; what is at the pixel (x, y) stays there.
 * @param {Camera} camera
 * @param {Plane} plane
 * @param {Size} size
 * @param {number} factor
 * @param {number[]} at
 * @returns {Camera}
 */
export function zoomed(camera, plane, { width, height }, factor, [x, y]) {
  const before = projection(camera, plane, width, height);
  const closer = { ...camera, fov: clamp(camera.fov / factor, ...FOV_MM) };
  const after = projection(closer, plane, width, height);
  const [right, down] = onScreen(plane, camera.centre);
  return {
    ...closer,
    centre: fromScreen(plane,
      right + (x - before.left) / before.scale - (x - after.left) / after.scale,
      down + (y - before.top) / before.scale - (y - after.top) / after.scale, camera.centre),
  };
}

/**
 * How far one can scroll, in item mm and whole steps of the finest scan.
 * @param {Grid[]} scans
 * @param {Plane} plane
 */
export function scrollRange(scans, plane) {
  const step = scans.length ? Math.min(...scans.map((one) => one.spacing[plane.through])) : 1;
  const low = Math.min(0, ...scans.map((one) => slicePosition(one, plane, 0)));
  const high = Math.max(0, ...scans.map((one) => slicePosition(one, plane, one.shape[plane.through] - 1)));
  return { low: Math.floor(low / step) * step, high: Math.ceil(high / step) * step, step };
}
