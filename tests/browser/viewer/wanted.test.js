import assert from "node:assert/strict";
import { test } from "node:test";
import { detailRegion, wantedSlices } from "../../../dashboard/components/viewer/wanted.js";
import { PLANES } from "../planes.js";

const PANEL = { shape: [1000, 1000, 40], spacing: [0.5, 0.5, 3], centre: [500, 500, 20] };
const SEEN = { left: -40, top: -40, right: 40, bottom: 40 };

/** @param {number} number */
const slot = (number) => ({ number, plane: PLANES.axial, panel: PANEL, seen: SEEN });

/**
 * A cache of some slices of panel 0, and of details.
 * @param {number[]} indices
 * @param {any} [whole] what its slices are
 * @param {any} [detail]
 */
const cacheOf = (indices, whole = { step: [1, 1] }, detail = undefined) => ({
  has: (/** @type {number} */ panel, /** @type {string} */ _, /** @type {number} */ index) => panel === 0 && indices.includes(index),
  get: () => whole,
  detail: () => detail,
});

const COARSE = { step: [4, 4], left: -250, top: -250, columns: 250, rows: 250, pixel: [2, 2] };

test("the slice that is seen comes first, with few beside it", () => {
  const wants = wantedSlices([slot(0), slot(1)], [0, 0, 0], 1, cacheOf([]));
  assert.deepEqual(wants.slice(0, 2), [[0, "axial", 20, null], [1, "axial", 20, null]]);
  assert.equal(wants.length, 4);
});

test("once it is there, more slices are fetched ahead than behind", () => {
  for (const direction of [1, -1]) {
    const wants = wantedSlices([slot(0)], [0, 0, 0], direction, cacheOf([20])).map(([, , index]) => (index - 20) * direction);
    assert.deepEqual([Math.max(...wants), Math.min(...wants)], [8, -4]);
    assert.equal(wants.length, 12);
  }
});

test("nothing beyond the ends of a scan is asked for, nor what is here", () => {
  const indices = wantedSlices([slot(0)], [0, 0, 3 * 18], 1, cacheOf([38, 37])).map(([, , index]) => index);
  assert.deepEqual(indices, [39, 36, 35, 34]);
});

test("of a coarse slice the part that is seen is asked for at a finer step, with a margin", () => {
  assert.deepEqual(detailRegion(slot(0), 20, cacheOf([20], COARSE)), [-48, -48, 48, 48]);
  const wants = wantedSlices([slot(0)], [0, 0, 0], 1, cacheOf([20], COARSE));
  assert.deepEqual(wants[0], [0, "axial", 20, [-48, -48, 48, 48]]);
});

test("no detail is asked for that would not be finer, is here already, or lies beside the slice", () => {
  assert.equal(detailRegion(slot(0), 20, cacheOf([20], { ...COARSE, step: [1, 1] })), null);
  const all = { ...slot(0), seen: { left: -250, top: -250, right: 250, bottom: 250 } };
  assert.equal(detailRegion(all, 20, cacheOf([20], COARSE)), null);
  const here = { step: [1, 1], left: -41, top: -41, columns: 164, rows: 164, pixel: [0.5, 0.5] };
  assert.equal(detailRegion(slot(0), 20, cacheOf([20], COARSE, here)), null);
  const beside = { ...slot(0), seen: { left: 300, top: 0, right: 310, bottom: 10 } };
  assert.equal(detailRegion(beside, 20, cacheOf([20], COARSE)), null);
  assert.equal(detailRegion({ ...slot(0), seen: null }, 20, cacheOf([20], COARSE)), null);
});

test("a detail that covers only a part of what is seen is asked for anew", () => {
  const here = { step: [1, 1], left: -30, top: -41, columns: 164, rows: 164, pixel: [0.5, 0.5] };
  assert.deepEqual(detailRegion(slot(0), 20, cacheOf([20], COARSE, here)), [-48, -48, 48, 48]);
});
