import assert from "node:assert/strict";
import { before, test } from "node:test";
import { densityPixels, drawPoints, fillSquares, rgb, tracePath } from "../../../dashboard/components/point_map/drawing.js";
import { tipPlace } from "../../../dashboard/components/point_map/tip.js";
import { installCanvas, recordingContext } from "../canvas.js";

before(installCanvas);

const GROUPS = ["#e69f00", "#0072b2"].map((colour, i) => ({ name: String(i), colour, symbol: "circle", count: 1 }));
const SCENE = {
  groups: GROUPS, width: 100, height: 100, ratio: 1, anySelected: false, xs: Float32Array.of(10, 50), ys: Float32Array.of(10, 50),
  codes: Uint8Array.of(0, 1), order: Uint32Array.of(1, 0), selected: Uint8Array.of(0, 1), radius: 5, ink: "black",
};

/** @param {import("../../../dashboard/components/point_map/drawing.js").Scene & import("../../../dashboard/components/point_map/drawing.js").Points} scene */
function drawn(scene) {
  const { context, calls } = recordingContext(100, 100);
  drawPoints(context, scene);
  return calls;
}

test("points are stamped in their order, at their place", () => {
  const stamps = drawn(SCENE).filter(([name]) => name === "drawImage").map(([, , ...place]) => place);
  assert.deepEqual(stamps, [[43, 43, 14, 14], [3, 3, 14, 14]]);
});

test("with a selection the others fade under it, and it gets rings", () => {
  const calls = drawn({ ...SCENE, anySelected: true });
  const alphas = calls.filter(([name]) => name === "globalAlpha").map(([, value]) => value);
  assert.deepEqual(alphas, [0.22, 1, 1]);
  const stamps = calls.filter(([name]) => name === "drawImage").map(([, , x]) => x);
  assert.deepEqual(stamps, [3, 43]);
  assert.deepEqual(calls.filter(([name]) => name === "arc"), [["arc", 50, 50, 7.5, 0, 2 * Math.PI]]);
});

test("points beside the picture are not drawn", () => {
  const calls = drawn({ ...SCENE, xs: Float32Array.of(-20, 50) });
  assert.equal(calls.filter(([name]) => name === "drawImage").length, 1);
});

test("very many points are one picture of squares", () => {
  const n = 12001;
  const at = new Float32Array(n).fill(50);
  const many = { ...SCENE, xs: at, ys: at, codes: new Uint8Array(n), order: new Uint32Array(n), selected: new Uint8Array(n) };
  assert.equal(drawn(many).filter(([name]) => name === "drawImage").length, 1);
});

test("a square has its group's colour, and selected ones lie above faded ones", () => {
  const pixels = new Uint32Array(100);
  const both = { ...SCENE, xs: Float32Array.of(5, 5), ys: Float32Array.of(5, 5), radius: 1, anySelected: true, selected: Uint8Array.of(1, 0) };
  fillSquares(pixels, 10, 10, both);
  const bytes = new Uint8Array(pixels.buffer);
  assert.deepEqual([...bytes.subarray(4 * 55, 4 * 55 + 4)], [...rgb("#e69f00"), 235]);
  assert.equal(pixels.filter(Boolean).length, 4);
  fillSquares(pixels, 10, 10, { ...both, selected: Uint8Array.of(0, 1) });
  assert.deepEqual([...bytes.subarray(4 * 55, 4 * 55 + 4)], [...rgb("#0072b2"), 235]);
});

test("cells of a density are stronger with more items, and fade where few of them are selected", () => {
  const scene = { groups: GROUPS, counts: Uint8Array.of(0, 255, 51, 255), group: Uint8Array.of(0, 1, 0, 0), share: Uint8Array.of(0, 255, 0, 0), anySelected: false };
  const alphas = (/** @type {Uint8ClampedArray} */ pixels) => [3, 7, 11, 15].map((i) => pixels[i]);
  assert.deepEqual(alphas(densityPixels(scene)), [0, 255, 123, 255]);
  assert.deepEqual([...densityPixels(scene).subarray(4, 7)], rgb("#0072b2"));
  assert.deepEqual(alphas(densityPixels({ ...scene, anySelected: true })), [0, 255, 18, 38]);
});

test("every symbol has a shape of its own, of about the same size", () => {
  const shapes = ["circle", "square", "triangle-up", "triangle-down", "diamond", "pentagon", "cross", "x-thin-open"].map((symbol) => {
    const { context, calls } = recordingContext(10, 10);
    tracePath(context, symbol, 0, 0, 10);
    const corners = calls.filter(([name]) => name === "lineTo").map(([, x, y]) => Math.hypot(x, y));
    if (corners.length) assert.ok(Math.max(...corners) <= 13 && Math.max(...corners) >= 10, symbol);
    return JSON.stringify(calls);
  });
  assert.equal(new Set(shapes).size, shapes.length);
});

test("the tip stays within the map", () => {
  const [map, tip] = [{ width: 800, height: 560 }, { width: 200, height: 120 }];
  assert.deepEqual(tipPlace(100, 300, map, tip), [114, 260]);
  assert.deepEqual(tipPlace(700, 10, map, tip), [486, 4]);
  assert.deepEqual(tipPlace(100, 555, map, tip), [114, 436]);
});
