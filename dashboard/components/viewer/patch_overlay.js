// Maps of patch tokens over the slices: similarity to the patch under a click, or colours of their main components.

import { canvasOf, contextOf } from "../elements.js";
import { onScreen } from "./geometry.js";

/**
 * @typedef {import("./geometry.js").Place} Place
 * @typedef {import("./geometry.js").Plane} Plane
 * @typedef {Omit<import("./message.js").PatchGrid, "values"> & {values: Uint8Array}} Grid
 * @typedef {import("./message.js").MapState & {low?: number | null, grids: Grid[]}} PatchMap
 */

/**
 * Draw the layer of patches that the slice cuts.
 * @param {CanvasRenderingContext2D} context
 * @param {import("./geometry.js").Projection} place
 * @param {{number: number, plane: Plane, position: number}} slice
 * @param {import("./shown.js").Scene} scene
 */
export function paintPatches(context, place, { number, plane, position }, { map, view, ramp }) {
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
  context.imageSmoothingEnabled = false; // A patch is one number: nothing is known within it.
  context.drawImage(picture,
    place.left + Math.min(a[0], b[0]) * place.scale, place.top + Math.min(a[1], b[1]) * place.scale,
    Math.abs(a[0] - b[0]) * place.scale, Math.abs(a[1] - b[1]) * place.scale);
  context.globalAlpha = 1;
}

/** @type {WeakMap<Grid, Map<string, HTMLCanvasElement>>} */
const LAYERS = new WeakMap();

/**
 * One layer of patches as a canvas of one pixel a patch, kept with its grid.
 * @param {Grid} grid
 * @param {Plane} plane
 * @param {number} layer
 * @param {Uint8Array | null} ramp
 */
function layerOf(grid, plane, layer, ramp) {
  const layers = LAYERS.get(grid) ?? new Map();
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

/**
 * One layer of patches as RGBA, a pixel a patch.
 * @param {Grid} grid
 * @param {Plane} plane
 * @param {number} layer
 * @param {Uint8Array | null} ramp the colours of the values, 256 RGB; null where the values are RGB
 */
export function layerPixels(grid, plane, layer, ramp) {
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

/**
 * @param {Grid} grid
 * @param {number[]} cell x, y, z
 */
const cellNumber = (grid, [x, y, z]) => (z * grid.shape[1] + y) * grid.shape[0] + x;

/**
 * The similarity of a panel at a place, or undefined beside its patches.
 * @param {PatchMap | null} map
 * @param {number} number
 * @param {Place} place
 */
export function similarityAt(map, number, place) {
  const grid = map?.kind === "similarity" ? map.grids.find((one) => one.panel === number) : undefined;
  if (!map || !grid) return undefined;
  const cell = grid.corner.map((mm, axis) => Math.floor((place[axis] - mm) / grid.cell_mm[axis]));
  if (cell.some((one, axis) => one < 0 || one >= grid.shape[axis])) return undefined;
  const step = grid.values[cellNumber(grid, cell)];
  const low = map.low ?? 0;
  return { value: low + (step / 255) * (1 - low), atMost: step === 0 };
}

/**
 * What is said of a map beside the scale.
 * @param {string} wanted off, similarity or pca
 * @param {PatchMap | null} map
 * @param {import("./message.js").Point | null} point
 */
export function mapWords(wanted, map, point) {
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
