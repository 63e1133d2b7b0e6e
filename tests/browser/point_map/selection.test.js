import assert from "node:assert/strict";
import { test } from "node:test";
import { isClick } from "../../../dashboard/components/point_map/gestures.js";
import {
  boxCorners, inPolygon, lassoCorners, modeOf, nearest, nextPoint, pointsNear, rarestLast, selectWithin, unpacked,
} from "../../../dashboard/components/point_map/selection.js";

/** @typedef {import("../../../dashboard/components/point_map/selection.js").Pair} Pair */

/** @type {Pair[]} An L: a square of 10 without its upper right quarter. */
const BENT = [[0, 0], [10, 0], [10, 5], [5, 5], [5, 10], [0, 10]];
const XS = Float32Array.of(1, 8, 8, 20);
const YS = Float32Array.of(1, 1, 8, 1);

test("a lasso holds what lies within its bends, and not what lies between them", () => {
  assert.ok(inPolygon(2, 8, BENT));
  assert.ok(inPolygon(8, 2, BENT));
  assert.ok(!inPolygon(8, 8, BENT));
  assert.ok(!inPolygon(-1, 5, BENT));
  assert.ok(!inPolygon(1, 1, []));
});

test("a lasso that crosses itself leaves out what it goes round twice", () => {
  /** @type {Pair[]} */
  const twice = [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0], [2, 2], [8, 2], [8, 8], [2, 8], [2, 2]];
  assert.ok(!inPolygon(5, 5, twice));
  assert.ok(inPolygon(1, 5, twice));
});

test("a box is the same from whichever corner it is drawn", () => {
  for (const corners of [boxCorners([0, 0], [10, 5]), boxCorners([10, 5], [0, 0]), boxCorners([10, 0], [0, 5])]) {
    assert.ok(inPolygon(9, 4, corners));
    assert.ok(!inPolygon(9, 6, corners));
  }
});

test("a long lasso is sent with at most 80 corners, a short one with all", () => {
  /** @type {(n: number) => Pair[]} */
  const path = (n) => Array.from({ length: n }, (_, i) => [i, i]);
  assert.equal(lassoCorners(path(80)).length, 80);
  for (const n of [81, 500, 12345]) {
    const corners = lassoCorners(path(n));
    assert.ok(corners.length <= 80 && corners.length >= 40);
    assert.deepEqual(corners[0], [0, 0]);
  }
});

test("Shift adds to the selection, Alt takes away, and neither replaces it", () => {
  assert.equal(modeOf({ shiftKey: false, altKey: false }), "replace");
  assert.equal(modeOf({ shiftKey: true, altKey: true }), "add");
  assert.equal(modeOf({ shiftKey: false, altKey: true }), "subtract");
});

test("a drawing replaces, adds to or takes from what is selected", () => {
  const cases = /** @type {const} */ ([["replace", [1, 1, 0, 0], 2], ["add", [1, 1, 1, 0], 3], ["subtract", [0, 0, 1, 0], 1]]);
  for (const [mode, expected, count] of cases) {
    const selected = Uint8Array.of(1, 0, 1, 0);
    assert.equal(selectWithin(selected, XS, YS, BENT, mode), count);
    assert.deepEqual([...selected], expected);
  }
});

test("the bits of the selection are read from the highest", () => {
  assert.deepEqual([...unpacked(Uint8Array.of(0b10100000, 0b01000000), 10)], [1, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
});

test("rare groups are drawn over frequent ones", () => {
  const codes = Uint8Array.of(2, 0, 0, 1, 0, 1);
  assert.deepEqual([...rarestLast(codes)], [1, 2, 4, 3, 5, 0]);
});

test("a click takes the nearest point, and none where all are far", () => {
  assert.equal(nearest(XS, YS, 7, 2, 14), 1);
  assert.equal(nearest(XS, YS, 14, 30, 14), -1);
});

test("arrow keys go to the next point in their direction, and stay where there is none", () => {
  assert.equal(nextPoint(XS, YS, 0, [1, 0]), 1);
  assert.equal(nextPoint(XS, YS, 1, [1, 0]), 3);
  assert.equal(nextPoint(XS, YS, 1, [0, 1]), 2);
  assert.equal(nextPoint(XS, YS, 3, [1, 0]), 3);
});

test("the items round a point come nearest first, as many as are wanted, without those that are here", () => {
  assert.deepEqual(pointsNear(XS, YS, 1, () => true, { within: 8, most: 9 }), [1, 0, 2]);
  assert.deepEqual(pointsNear(XS, YS, 1, (i) => i !== 1, { within: 100, most: 2 }), [0, 2]);
});

test("a press that hardly moves is a click, a drawing that returns to its start is none", () => {
  assert.ok(isClick([[5, 5]], [7, 7]));
  assert.ok(!isClick([[5, 5]], [9, 5]));
  assert.ok(!isClick(Array.from({ length: 30 }, (_, i) => /** @type {Pair} */ ([5 + i, 5])), [5, 5]));
});
