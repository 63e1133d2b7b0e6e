import assert from "node:assert/strict";
import { test } from "node:test";
import { Camera, placed, radiusOf, WHOLE } from "../../../dashboard/components/point_map/camera.js";

/** @type {[number, number, number, number]} */
const BOUNDS = [-10, 10, 0, 5];
const SIZE = { width: 440, height: 240 };
const ZOOMED = { scale: 3, x: 2, y: -1 };

/**
 * @param {number[]} found
 * @param {number[]} expected
 */
function close(found, expected) {
  assert.equal(found.length, expected.length);
  for (const [i, one] of found.entries()) assert.ok(Math.abs(one - expected[i]) < 1e-9, `${found} is not ${expected}`);
}

test("the whole map is in the middle with a margin, a unit as long across as high, and up is up", () => {
  const camera = new Camera(BOUNDS, SIZE, WHOLE);
  assert.equal(camera.scale, 20);
  assert.deepEqual(camera.toScreen(0, 2.5), [220, 120]);
  assert.deepEqual(camera.toScreen(-10, 5), [20, 70]);
});

test("a pixel leads to the point that is drawn there", () => {
  const camera = new Camera(BOUNDS, SIZE, ZOOMED);
  close(camera.toMap(...camera.toScreen(3.25, 4.5)), [3.25, 4.5]);
});

test("what is under the pointer stays there when one zooms", () => {
  const before = new Camera(BOUNDS, SIZE, ZOOMED);
  const after = new Camera(BOUNDS, SIZE, before.zoomed(1.5, 30, 200));
  assert.equal(after.zoom.scale, 4.5);
  close(after.toMap(30, 200), before.toMap(30, 200));
});

test("zooming out ends at the whole map, zooming in at 400 times", () => {
  const camera = new Camera(BOUNDS, SIZE, ZOOMED);
  assert.deepEqual(camera.zoomed(0.1, 30, 200), WHOLE);
  assert.equal(camera.zoomed(1e6, 30, 200).scale, 400);
});

test("the map follows the pointer when one moves it", () => {
  const before = new Camera(BOUNDS, SIZE, ZOOMED);
  const after = new Camera(BOUNDS, SIZE, before.moved(30, -12));
  close(after.toMap(130, 88), before.toMap(100, 100));
});

test("the viewport is what the corners of the screen lead to", () => {
  const camera = new Camera(BOUNDS, SIZE, WHOLE);
  close(camera.viewport(), [-11, 11, -3.5, 8.5]);
});

test("points that were sent as steps within a view are where that view is", () => {
  const camera = new Camera(BOUNDS, SIZE, WHOLE);
  const { xs, ys } = placed({ x: Uint16Array.of(0, 65535), y: Uint16Array.of(0, 65535) }, [0, 5, 1, 2], camera);
  close([xs[0], ys[0]], camera.toScreen(0, 1));
  close([xs[1], ys[1]], camera.toScreen(5, 2));
});

test("more points are smaller", () => {
  assert.deepEqual([500, 501, 5001, 30001].map(radiusOf), [5, 3.5, 2, 1.3]);
});

test("a map of one point has a place too", () => {
  const [x, y] = new Camera([1, 1, 2, 2], SIZE, WHOLE).toScreen(1, 2);
  assert.deepEqual([x, y], [220, 120]);
});
