import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { huAt, lesionEdges, paintGrey, SliceCache } from "../../../dashboard/components/viewer/slices.js";

const SLICE = { panel: 0, plane: "axial", index: 5, detail: false, rows: 2, columns: 3, left: -3, top: -2, pixel: [2, 2], step: [1, 1] };
const HU = Int16Array.of(-1000, 0, 40, 100, 400, 3000);
const BLOBS = [deflateSync(new Uint8Array(HU.buffer)), deflateSync(Uint8Array.of(0, 1, 0, 0, 1, 0))].map((one) => new Uint8Array(one));

/** @param {Partial<import("../../../dashboard/components/viewer/message.js").SliceRecord>} [changed] */
const record = (changed = {}) => ({ ...SLICE, pixels: 0, mask: 1, error: undefined, ...changed });
/** @param {number} number */
const blob = (number) => BLOBS[number];

test("a slice that came is inflated and found again", async () => {
  const cache = new SliceCache();
  await cache.add(record(), blob);
  const found = cache.get(0, "axial", 5);
  assert.deepEqual(found?.hu, HU);
  assert.deepEqual(found?.inside, Uint8Array.of(0, 1, 0, 0, 1, 0));
  assert.ok(cache.has(0, "axial", 5));
  assert.ok(!cache.has(1, "axial", 5) && !cache.has(0, "coronal", 5) && !cache.has(0, "axial", 6));
});

test("a slice that failed is not asked for again, and says why", async () => {
  const cache = new SliceCache();
  await cache.add({ panel: 0, plane: "axial", index: 7, error: "the file is gone" }, blob);
  assert.ok(cache.has(0, "axial", 7));
  assert.equal(cache.get(0, "axial", 7), undefined);
  assert.equal(cache.failure(0, "axial", 7), "the file is gone");
});

test("until a slice comes the nearest is shown", async () => {
  const cache = new SliceCache();
  for (const index of [3, 9]) await cache.add(record({ index }), blob);
  assert.equal(cache.nearest(0, "axial", 5, 40)?.index, 3);
  assert.equal(cache.nearest(0, "axial", 7, 40)?.index, 9);
  assert.equal(cache.nearest(1, "axial", 7, 40), undefined);
});

test("a detail belongs to its slice alone, and takes no slice's place", async () => {
  const cache = new SliceCache();
  await cache.add(record({ detail: true, mask: null }), blob);
  assert.equal(cache.detail(0, "axial", 5)?.inside, null);
  assert.equal(cache.detail(0, "axial", 6), undefined);
  assert.ok(!cache.has(0, "axial", 5));
});

test("of more than 400 slices the longest unused are forgotten", async () => {
  const cache = new SliceCache();
  for (let index = 0; index < 400; index += 1) await cache.add(record({ index }), blob);
  cache.get(0, "axial", 0);
  await cache.add(record({ index: 400 }), blob);
  assert.ok(cache.has(0, "axial", 0));
  assert.ok(!cache.has(0, "axial", 1));
});

test("the HU under the pointer are those of its pixel, and nothing beside the slice", () => {
  const slice = { ...SLICE, hu: HU, inside: null };
  assert.equal(huAt(slice, -2.9, -1.9), -1000);
  assert.equal(huAt(slice, 2.9, 1.9), 3000);
  assert.equal(huAt(slice, 0, 0.1), 400);
  assert.equal(huAt(slice, 3.1, 0), undefined);
  assert.equal(huAt(slice, 0, -2.1), undefined);
});

test("a window of 400 HU at 40 is black to -160 and white above 240", () => {
  const pixels = new Uint32Array(6);
  paintGrey(Int16Array.of(-2000, -160, 40, 140, 241, 3000), 400, 40, pixels);
  const bytes = new Uint8Array(pixels.buffer);
  const greys = [...pixels.keys()].map((i) => [...bytes.subarray(4 * i, 4 * i + 4)]);
  assert.deepEqual(greys, [0, 0, 127, 191, 255, 255].map((grey) => [grey, grey, grey, 255]));
});

test("the outline runs between pixels in the lesion and those beside it, also at the edge of the slice", () => {
  const edges = lesionEdges(Uint8Array.of(0, 1, 0, 0, 1, 0), 2, 3);
  const sorted = edges.map(String).sort();
  assert.deepEqual(sorted, ["1,0,1,1", "1,0,2,0", "1,1,1,2", "1,2,2,2", "2,0,2,1", "2,1,2,2"]);
  assert.deepEqual(lesionEdges(new Uint8Array(6), 2, 3), []);
});
