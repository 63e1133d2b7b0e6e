import assert from "node:assert/strict";
import { test } from "node:test";
import { framed, panned, scrollRange, wholeScans, zoomed } from "../../../dashboard/components/viewer/camera.js";
import { projection } from "../../../dashboard/components/viewer/geometry.js";
import { PLANES } from "../planes.js";

const SIZE = { width: 300, height: 200 };
const SCAN = { shape: [512, 512, 100], spacing: [0.7, 0.7, 3], centre: [256, 256, 50], box: null };

/**
 * @param {import("../../../dashboard/components/viewer/geometry.js").Camera} camera
 * @param {import("../../../dashboard/components/viewer/geometry.js").Plane} plane
 * @param {number[]} at
 */
function screenMm(camera, plane, [x, y]) {
  const { scale, left, top } = projection(camera, plane, SIZE.width, SIZE.height);
  return [(x - left) / scale, (y - top) / scale];
}

test("what is under the pointer stays there when one zooms", () => {
  const camera = { centre: [5, -7, 11], fov: 120 };
  for (const plane of Object.values(PLANES)) {
    const closer = zoomed(camera, plane, SIZE, 1.15, [40, 170]);
    assert.ok(Math.abs(closer.fov - 120 / 1.15) < 1e-9);
    const [before, after] = [screenMm(camera, plane, [40, 170]), screenMm(closer, plane, [40, 170])];
    for (const i of [0, 1]) assert.ok(Math.abs(before[i] - after[i]) < 1e-9);
    assert.equal(closer.centre[plane.through], camera.centre[plane.through]);
  }
});

test("zooming ends at 5 mm and at 2 m", () => {
  assert.equal(zoomed({ centre: [0, 0, 0], fov: 6 }, PLANES.axial, SIZE, 100, [0, 0]).fov, 5);
  assert.equal(zoomed({ centre: [0, 0, 0], fov: 1900 }, PLANES.axial, SIZE, 0.01, [0, 0]).fov, 2000);
});

test("the picture follows the pointer when one pans", () => {
  const camera = { centre: [0, 0, 0], fov: 100 };
  const moved = panned(camera, PLANES.coronal, SIZE, 20, 10);
  const [before, after] = [screenMm(camera, PLANES.coronal, [50, 50]), screenMm(moved, PLANES.coronal, [70, 60])];
  assert.deepEqual(after, before);
});

test("a small lesion is framed with its surroundings, and never wider than the scan", () => {
  const box = [[-10, -10, -10], [10, 10, 10]];
  assert.equal(framed([{ ...SCAN, box }], []).fov, 100);
  const wide = [[-100, -50, -50], [100, 50, 50]];
  assert.equal(framed([{ ...SCAN, box: wide }], []).fov, 260);
  const all = [[-179, -179, -150], [179, 179, 150]];
  assert.equal(framed([{ ...SCAN, box: all }], []).fov, 512 * 0.7);
});

test("without a box the whole scan is framed, and without a scan the thumbnails", () => {
  assert.equal(framed([SCAN], []).fov, 512 * 0.7);
  assert.equal(framed([], [180, 120]).fov, 180);
  assert.equal(framed([], []).fov, 100);
});

test("a whole scan is shown whole, also where its item is not in its middle", () => {
  assert.equal(wholeScans([{ ...SCAN, centre: [255.5, 255.5, 10] }]).fov, 2 * 89.5 * 3);
});

test("scrolling goes in whole steps of the finest scan to the ends of the longest", () => {
  const thin = { ...SCAN, shape: [512, 512, 300], spacing: [0.7, 0.7, 1.5], centre: [256, 256, 100] };
  assert.deepEqual(scrollRange([SCAN, thin], PLANES.axial), { low: -150, high: 298.5, step: 1.5 });
  assert.deepEqual(scrollRange([], PLANES.axial), { low: 0, high: 0, step: 1 });
});
