import assert from "node:assert/strict";
import { test } from "node:test";
import { cursorWords, noteWords, offsetWords, placeWords, shownOf, windowWords } from "../../../dashboard/components/viewer/shown.js";
import { SliceCache } from "../../../dashboard/components/viewer/slices.js";
import { PLANES } from "../planes.js";

/** @type {import("../../../dashboard/components/viewer/shown.js").View} */
const VIEW = {
  plane: "axial", three: false, item: 0, place: [0, 0, 3], camera: { centre: [0, 0, 0], fov: 100 },
  window: { name: "Lung", width: 1500, level: -600 }, outline: true, crosshair: false, box: true, map: "off", opacity: 0.5,
};
/** @type {import("../../../dashboard/components/viewer/message.js").ScanPanel} */
const SCAN = {
  kind: "ct", panel: 0, box: null, has_mask: false, notes: ["A note."], shape: [4, 4, 20], spacing: [1, 1, 3], centre: [2, 2, 10],
  lps: [100, 50, -300], direction: [1, 0, 0, 0, 1, 0, 0, 0, 1],
};
const SCENE = { view: VIEW, map: null, point: null, ramp: new Uint8Array(), outlineColour: [230, 159, 0] };

/**
 * What a panel of slices of 4 x 4 pixels shows, whose HU are 0 to 15.
 * @param {number[]} indices
 */
function shownWith(indices, step = 1) {
  const cache = new SliceCache();
  for (const index of indices) {
    cache.whole.set(SliceCache.key(0, "axial", index), {
      panel: 0, plane: "axial", index, detail: false, rows: 4, columns: 4, left: -2.5, top: -2.5, pixel: [1, 1], step: [step, step],
      hu: Int16Array.from({ length: 16 }, (_, i) => i), inside: null,
    });
  }
  return shownOf(0, PLANES.axial, { panels: [SCAN], planes: PLANES, cache, view: VIEW });
}

test("a panel says its slice as people count, and where it lies in LPS mm", () => {
  assert.equal(placeWords(shownWith([11])), "slice 12 of 20, z = −297.0 mm (LPS)");
  assert.equal(placeWords(shownWith([11], 2)), "slice 12 of 20, z = −297.0 mm (LPS) · 2 × 2 voxels a pixel");
});

test("while another slice stands in, its own number is said, and which is loading", () => {
  assert.equal(placeWords(shownWith([9])), "slice 10 of 20, z = −303.0 mm (LPS) · loading slice 12");
  const failed = { ...shownWith([9]), failure: "The file is gone." };
  assert.equal(placeWords(failed), "slice 10 of 20, z = −303.0 mm (LPS)");
  assert.equal(noteWords(failed), "A note. The file is gone.");
});

test("without a slice nothing is said of a place", () => {
  const shown = shownWith([]);
  assert.equal(placeWords(shown), "");
  assert.equal(shown.waiting, "Reading the slice …");
  assert.equal(cursorWords(shown, [0, 0, 3], SCENE), "");
});

test("a thumbnail is axial, whichever plane is chosen", () => {
  const picture = /** @type {any} */ ({ width: 128 });
  const panel = { kind: /** @type {const} */ ("thumbnail"), panel: 0, png: 0, pixel_mm: 1, z_lps_mm: -12.5, notes: [], picture };
  const shown = shownOf(0, PLANES.coronal, { panels: [panel], planes: PLANES, cache: new SliceCache(), view: VIEW });
  assert.equal(shown.plane.name, "axial");
  assert.equal(placeWords(shown), "axial, z = −12.5 mm (LPS)");
});

test("under the pointer are the HU, the place in LPS mm and the similarity", () => {
  assert.equal(cursorWords(shownWith([11]), [1, 0, 3], SCENE), "11 HU at 101, 50, −297 mm");
  assert.equal(cursorWords(shownWith([11], 2), [1, 0, 3], SCENE), "11 HU (mean of the pixel) at 101, 50, −297 mm");
  assert.equal(cursorWords(shownWith([11]), [7, 0, 3], SCENE), "");
  const grid = { panel: 0, shape: [1, 1, 1], corner: [-5, -5, -5], cell_mm: [10, 10, 10], values: Uint8Array.of(0) };
  const map = { kind: "similarity", key: "", waiting: 0, n: 1, errors: [], low: -0.25, grids: [grid] };
  const scene = { ...SCENE, map, view: { ...VIEW, map: "similarity" } };
  assert.equal(cursorWords(shownWith([11]), [1, 0, 3], scene), "11 HU at 101, 50, −297 mm · cosine ≤ −0.25");
});

test("offsets are said by the direction of the body, windows with their HU", () => {
  assert.equal(offsetWords(PLANES.axial, [0, 0, 3]), "3.0 mm towards the head");
  assert.equal(offsetWords(PLANES.sagittal, [-2.5, 0, 3]), "2.5 mm towards the patient's right");
  assert.equal(offsetWords(PLANES.coronal, [0, 0.04, 3]), "at the centre");
  assert.equal(windowWords(VIEW), "window Lung, width 1500, level −600 HU");
});
