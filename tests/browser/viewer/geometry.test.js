import assert from "node:assert/strict";
import { test } from "node:test";
import {
  fromScreen, onScreen, projection, scaleBarLength, signed, sliceIndex, sliceNumber, slicePosition, toLps, visible,
} from "../../../dashboard/components/viewer/geometry.js";
import { PLANES } from "../planes.js";

const SCAN = { shape: [20, 30, 40], spacing: [0.7, 0.7, 2.5], centre: [10, 12.5, 20] };

test("a place lies in the slice whose middle is nearest, the upper one half way between two", () => {
  assert.equal(sliceIndex(SCAN, PLANES.axial, [0, 0, 0]), 20);
  assert.equal(sliceIndex(SCAN, PLANES.axial, [0, 0, 1.24]), 20);
  assert.equal(sliceIndex(SCAN, PLANES.axial, [0, 0, 1.25]), 21);
  assert.equal(sliceIndex(SCAN, PLANES.coronal, [0, 0, 0]), 13);
});

test("beside the scan its nearest slice is shown", () => {
  assert.equal(sliceIndex(SCAN, PLANES.axial, [0, 0, -1000]), 0);
  assert.equal(sliceIndex(SCAN, PLANES.axial, [0, 0, 1000]), 39);
  assert.equal(sliceNumber(0), 1);
});

test("the position of a slice lies in that slice", () => {
  for (const plane of Object.values(PLANES)) {
    for (let index = 0; index < SCAN.shape[plane.through]; index += 1) {
      const place = [0, 0, 0];
      place[plane.through] = slicePosition(SCAN, plane, index);
      assert.equal(sliceIndex(SCAN, plane, place), index);
    }
  }
});

test("the head is up and the patient's left is right on coronal pictures", () => {
  assert.deepEqual(onScreen(PLANES.coronal, [3, 4, 5]), [3, -5]);
  assert.deepEqual(onScreen(PLANES.axial, [3, 4, 5]), [3, 4]);
  assert.deepEqual(onScreen(PLANES.sagittal, [3, 4, 5]), [4, -5]);
});

test("a place on the screen is the same place again, as deep as before", () => {
  for (const plane of Object.values(PLANES)) {
    const [right, down] = onScreen(plane, [3, 4, 5]);
    assert.deepEqual(fromScreen(plane, right, down, [3, 4, 5]), [3, 4, 5]);
    assert.equal(fromScreen(plane, 0, 0, [3, 4, 5])[plane.through], [3, 4, 5][plane.through]);
  }
});

test("LPS mm follow the directions of the grid", () => {
  const turned = { lps: [100, 200, 300], direction: [0, -1, 0, 1, 0, 0, 0, 0, 1] };
  assert.deepEqual(toLps(turned, [1, 2, 3]), [98, 201, 303]);
});

test("the camera's field of view fills the shorter edge, with its centre in the middle", () => {
  const camera = { centre: [10, 20, 30], fov: 50 };
  const view = projection(camera, PLANES.coronal, 200, 100);
  assert.equal(view.scale, 2);
  assert.equal(view.left + 10 * view.scale, 100);
  assert.equal(view.top - 30 * view.scale, 50);
  assert.deepEqual(visible(view, 200, 100), { left: -40, top: -55, right: 60, bottom: -5 });
});

test("the scale bar is a round length of at most a third of the width", () => {
  assert.equal(scaleBarLength(1, 310), 100);
  assert.equal(scaleBarLength(1, 299), 50);
  assert.equal(scaleBarLength(100, 90), 1);
});

test("numbers have a true minus sign, and zero has none", () => {
  assert.equal(signed(-12.34, 1), "−12.3");
  assert.equal(signed(-0.04, 1), "0.0");
  assert.equal(signed(7), "7");
});
