// What a panel shows: which slice of which scan, and the words for it.

import { onScreen, signed, sliceIndex, sliceNumber, slicePosition, toLps } from "./geometry.js";
import { similarityAt } from "./patch_overlay.js";
import { huAt } from "./slices.js";

/**
 * @typedef {import("./geometry.js").Plane} Plane
 * @typedef {import("./geometry.js").Place} Place
 * @typedef {import("./message.js").ScanPanel} ScanPanel
 * @typedef {import("./slices.js").Slice} Slice
 * @typedef {import("./patch_overlay.js").PatchMap} PatchMap
 * @typedef {ScanPanel | (import("./message.js").ThumbnailPanel & {picture: ImageBitmap}) | import("./message.js").EmptyPanel} Panel
 *
 * @typedef {object} View what all panels share
 * @property {string} plane
 * @property {boolean} three whether the three planes of one item are shown
 * @property {number} item that item
 * @property {Place} place
 * @property {import("./geometry.js").Camera} camera
 * @property {{name: string, width: number, level: number}} window HU
 * @property {boolean} outline
 * @property {boolean} crosshair
 * @property {boolean} box
 * @property {string} map off, similarity or pca
 * @property {number} opacity
 *
 * @typedef {object} Scene what is drawn and described besides the slices
 * @property {View} view
 * @property {PatchMap | null} map
 * @property {import("./message.js").Point | null} point
 * @property {Uint8Array} ramp 256 RGB
 * @property {number[]} outlineColour RGB
 *
 * @typedef {object} Cut a slice that is shown
 * @property {ScanPanel} panel
 * @property {number} index of the slice that is wanted; `slice` is the nearest that is here
 * @property {Slice} slice
 * @property {Slice | undefined} detail
 * @property {number} position of `slice`, item mm along the plane's axis
 *
 * @typedef {object} Shown
 * @property {number} number of the panel
 * @property {Plane} plane
 * @property {Panel | null} panel null until it is opened
 * @property {Cut | null} cut
 * @property {string | undefined} failure why the slice cannot be had
 * @property {string} waiting is said while there is no picture
 */

/** @type {Record<string, string>} */
export const PLANE_WORDS = { axial: "Axial", coronal: "Coronal", sagittal: "Sagittal" };
/** @type {Record<string, [string, string]>} */
const WAYS = {
  axial: ["towards the head", "towards the feet"],
  coronal: ["towards the back", "towards the front"],
  sagittal: ["towards the patient's left", "towards the patient's right"],
};

/**
 * What a panel shows now.
 * @param {number} number
 * @param {Plane} plane
 * @param {{panels: (Panel | null)[], planes: Record<string, Plane>, cache: import("./slices.js").SliceCache, view: View}} viewer
 * @returns {Shown}
 */
export function shownOf(number, plane, { panels, planes, cache, view }) {
  const panel = panels[number];
  /** @type {Shown} */
  const shown = { number, plane, panel, cut: null, failure: undefined, waiting: "Reading the scan …" };
  if (panel?.kind === "thumbnail") return { ...shown, plane: planes.axial };
  if (panel?.kind === "none") return { ...shown, waiting: "No picture" };
  if (!panel) return shown;
  const index = sliceIndex(panel, plane, view.place);
  const slice = cache.nearest(number, plane.name, index, panel.shape[plane.through]);
  const cut = slice && {
    panel, index, slice,
    detail: cache.detail(number, plane.name, slice.index),
    position: slicePosition(panel, plane, slice.index),
  };
  return { ...shown, cut: cut ?? null, failure: cache.failure(number, plane.name, index), waiting: "Reading the slice …" };
}

/**
 * The slice, and where it lies.
 * @param {Shown} shown
 */
export function placeWords({ panel, plane, cut, failure }) {
  if (panel?.kind === "thumbnail") return `axial, z = ${signed(panel.z_lps_mm, 1)} mm (LPS)`;
  if (!cut) return "";
  const here = [0, 0, 0];
  here[plane.through] = cut.position;
  const mm = toLps(cut.panel, here)[plane.through];
  const number = `slice ${sliceNumber(cut.slice.index)} of ${cut.panel.shape[plane.through]}`;
  const step = voxelsAPixel(cut);
  return `${number}, ${"xyz"[plane.through]} = ${signed(mm, 1)} mm (LPS)`
    + (step > 1 ? ` · ${step} × ${step} voxels a pixel` : "")
    + (cut.slice.index !== cut.index && !failure ? ` · loading slice ${sliceNumber(cut.index)}` : "");
}

/**
 * HU and LPS mm at a place, and the similarity there.
 * @param {Shown} shown
 * @param {Place} place
 * @param {Scene} scene
 */
export function cursorWords({ number, plane, cut }, place, { view, map }) {
  if (!cut) return "";
  const [right, down] = onScreen(plane, place);
  const hu = (cut.detail && huAt(cut.detail, right, down)) ?? huAt(cut.slice, right, down);
  if (hu === undefined) return "";
  const [x, y, z] = toLps(cut.panel, place).map((mm) => signed(mm, 0));
  const like = view.map === "similarity" ? similarityAt(map, number, place) : undefined;
  const words = like ? ` · cosine ${like.atMost ? "≤ " : ""}${signed(like.value, 2)}` : "";
  const mean = voxelsAPixel(cut) > 1 ? " (mean of the pixel)" : "";
  return `${signed(hu)} HU${mean} at ${x}, ${y}, ${z} mm${words}`;
}

/** @param {Cut} cut */
const voxelsAPixel = ({ slice, detail }) => Math.max(...(detail ?? slice).step);

/**
 * Notes of the server, and what failed.
 * @param {Shown} shown
 */
export function noteWords({ panel, failure }) {
  return [...(panel?.notes ?? []), failure].filter(Boolean).join(" ");
}

/**
 * How far the view is from the items' centres, such as "3.0 mm towards the head".
 * @param {Plane} plane
 * @param {Place} place
 */
export function offsetWords(plane, place) {
  const mm = place[plane.through];
  const [on, back] = WAYS[plane.name];
  return Math.abs(mm) < 0.05 ? "at the centre" : `${Math.abs(mm).toFixed(1)} mm ${mm > 0 ? on : back}`;
}

/** @param {View} view */
export function windowWords({ window: { name, width, level } }) {
  return `window ${name}, width ${Math.round(width)}, level ${signed(Math.round(level))} HU`;
}
