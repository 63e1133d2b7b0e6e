import assert from "node:assert/strict";
import { before, test } from "node:test";
import { paint } from "../../../dashboard/components/viewer/painting.js";
import { installCanvas, recordingContext } from "../canvas.js";
import { PLANES } from "../planes.js";

before(installCanvas);

/** @type {import("../../../dashboard/components/viewer/shown.js").View} */
const VIEW = {
  plane: "axial", three: false, item: 0, place: [0, 0, 0], camera: { centre: [0, 0, 0], fov: 100 },
  window: { name: "Soft tissue", width: 400, level: 40 }, outline: true, crosshair: false, box: true, map: "off", opacity: 0.5,
};
const PANEL = /** @type {any} */ ({
  kind: "ct", panel: 0, box: [[-10, -10, -10], [10, 10, 10]], notes: [], shape: [40, 40, 40], spacing: [1, 1, 1], centre: [20, 20, 20],
});
const SLICE = /** @type {any} */ ({
  panel: 0, plane: "axial", index: 20, rows: 2, columns: 2, left: -20, top: -20, pixel: [20, 20], step: [1, 1],
  hu: new Int16Array(4), inside: Uint8Array.of(1, 0, 0, 0),
});
const SHOWN = { number: 0, plane: PLANES.axial, panel: PANEL, cut: { panel: PANEL, index: 20, slice: SLICE, detail: undefined, position: 0 }, failure: undefined, waiting: "Reading …" };

/**
 * What is drawn on a canvas of 200 x 200 pixels, where a mm is 2 pixels and the middle is (100, 100).
 * @param {Partial<import("../../../dashboard/components/viewer/shown.js").Shown>} shown
 * @param {Partial<import("../../../dashboard/components/viewer/shown.js").View>} [view]
 * @param {import("../../../dashboard/components/viewer/message.js").Point | null} [point]
 */
function drawn(shown, view = {}, point = null) {
  const { context, calls } = recordingContext(200, 200);
  paint(context, 200, 200, 1, { ...SHOWN, ...shown },
    { view: { ...VIEW, ...view }, map: null, point, ramp: new Uint8Array(768), outlineColour: [230, 159, 0] });
  /** @param {string} name */
  const of = (name) => calls.filter(([one]) => one === name).map(([, ...words]) => words);
  return { of, texts: of("fillText").map(([text]) => text) };
}

test("a slice lies where its mm are, with letters and a scale bar over it", () => {
  const { of, texts } = drawn({});
  assert.deepEqual(of("drawImage")[0].slice(1), [60, 60, 80, 80]);
  assert.deepEqual(texts, [..."RLAP", "20 mm"]);
});

test("the box that was embedded is drawn on the slices that it cuts, and can be switched off", () => {
  assert.deepEqual(drawn({}).of("strokeRect"), [[80.5, 80.5, 40, 40]]);
  assert.deepEqual(drawn({ cut: { ...SHOWN.cut, position: 11 } }).of("strokeRect"), []);
  assert.deepEqual(drawn({}, { box: false }).of("strokeRect"), []);
});

test("the outline has its own colour, and is drawn only where there is a lesion", () => {
  const colour = "rgb(230,159,0)";
  assert.ok(drawn({}).of("strokeStyle").flat().includes(colour));
  assert.ok(!drawn({}, { outline: false }).of("strokeStyle").flat().includes(colour));
  const without = { ...SHOWN.cut, slice: { ...SLICE, inside: null } };
  assert.ok(!drawn({ cut: without }).of("strokeStyle").flat().includes(colour));
});

test("the ring of a click is on its own panel, on the slices next to the point", () => {
  const point = { panel: 0, place: [10, -5, 0.5], n: 1 };
  assert.deepEqual(drawn({}, {}, point).of("arc"), [[120, 90, 5, 0, 2 * Math.PI]]);
  assert.deepEqual(drawn({}, {}, { ...point, panel: 1 }).of("arc"), []);
  assert.deepEqual(drawn({}, {}, { ...point, place: [10, -5, 2] }).of("arc"), []);
});

test("a panel without a picture says what it waits for, and has no scale", () => {
  assert.deepEqual(drawn({ cut: null }).texts, ["Reading …"]);
});

test("a thumbnail lies around the centre in its own size", () => {
  const panel = { ...PANEL, kind: "thumbnail", pixel_mm: 0.5, picture: { width: 64 } };
  const { of, texts } = drawn({ cut: null, panel });
  assert.deepEqual(of("drawImage")[0].slice(1), [68, 68, 64, 64]);
  assert.ok(texts.includes("20 mm"));
});
