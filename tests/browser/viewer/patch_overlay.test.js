import assert from "node:assert/strict";
import { test } from "node:test";
import { layerPixels, mapWords, similarityAt } from "../../../dashboard/components/viewer/patch_overlay.js";
import { PLANES } from "../planes.js";

// 2 x 3 x 2 patches of 10 mm, numbered in the order z, y, x.
const GRID = { panel: 1, shape: [2, 3, 2], corner: [-10, -15, -10], cell_mm: [10, 10, 10], values: Uint8Array.from({ length: 12 }, (_, i) => i) };
const RAMP = Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3));
const MAP = { kind: "similarity", key: "k", waiting: 0, n: 2, errors: [null, null], low: 0.2, grids: [GRID] };

/** @param {Uint8ClampedArray} pixels */
const reds = (pixels) => Array.from({ length: pixels.length / 4 }, (_, i) => pixels[4 * i]);

test("a layer of patches is drawn as its slice lies on the screen", () => {
  assert.deepEqual(reds(layerPixels(GRID, PLANES.axial, 1, RAMP)), [6, 7, 8, 9, 10, 11]);
  assert.deepEqual(reds(layerPixels(GRID, PLANES.coronal, 0, RAMP)), [6, 7, 0, 1]);
  assert.deepEqual(reds(layerPixels(GRID, PLANES.sagittal, 0, RAMP)), [6, 8, 10, 0, 2, 4]);
});

test("patches with colours of their own are opaque pixels of these", () => {
  const coloured = { ...GRID, shape: [1, 1, 2], values: Uint8Array.of(1, 2, 3, 40, 50, 60) };
  assert.deepEqual([...layerPixels(coloured, PLANES.axial, 1, null)], [40, 50, 60, 255]);
});

test("the similarity at a place is that of its patch, from the low end to 1", () => {
  const values = GRID.values.slice();
  values[(1 * 3 + 2) * 2 + 1] = 255;
  const map = { ...MAP, grids: [{ ...GRID, values }] };
  assert.deepEqual(similarityAt(map, 1, [9.9, 14.9, 9.9]), { value: 1, atMost: false });
  assert.deepEqual(similarityAt(map, 1, [-10, -15, -10]), { value: 0.2, atMost: true });
});

test("beside the patches, on other panels and on other maps there is no similarity", () => {
  assert.equal(similarityAt(MAP, 1, [10.1, 0, 0]), undefined);
  assert.equal(similarityAt(MAP, 0, [0, 0, 0]), undefined);
  assert.equal(similarityAt({ ...MAP, kind: "pca" }, 1, [0, 0, 0]), undefined);
  assert.equal(similarityAt(null, 1, [0, 0, 0]), undefined);
});

test("what is said of a map follows what is known of it", () => {
  const point = { panel: 0, place: [0, 0, 0], n: 1 };
  assert.equal(mapWords("off", MAP, point), "");
  assert.match(mapWords("similarity", null, null), /^Click a point/);
  assert.match(mapWords("pca", MAP, point), /^Asking for the patch tokens/);
  assert.match(mapWords("similarity", { ...MAP, waiting: 1 }, point), /1 of 2 scans/);
  assert.match(mapWords("similarity", { ...MAP, outside: true, grids: [] }, point), /lies beside what was embedded/);
  assert.equal(mapWords("similarity", { ...MAP, errors: ["a", "a"], grids: [] }, point), "No map: a");
  assert.equal(mapWords("similarity", { ...MAP, errors: [null, "no scan"] }, point),
    "Cosine similarity with the patch under the ring. Not shown everywhere: no scan");
});
