import assert from "node:assert/strict";
import { test } from "node:test";
import { pinch, Wheel } from "../../../dashboard/components/viewer/gestures.js";

test("a notch of a wheel is one slice, whatever its size", () => {
  const wheel = new Wheel();
  assert.equal(wheel.steps({ deltaY: 100, deltaMode: 0 }), -1);
  assert.equal(wheel.steps({ deltaY: -120, deltaMode: 0 }), 1);
  assert.equal(wheel.steps({ deltaY: 3, deltaMode: 1 }), -1);
});

test("small turns of a touchpad add up to a slice", () => {
  const wheel = new Wheel();
  const steps = Array.from({ length: 10 }, () => wheel.steps({ deltaY: -10, deltaMode: 0 }));
  assert.deepEqual(steps.map(Math.abs), [0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
  assert.equal(steps[4], 1);
});

test("turning back takes away what was turned", () => {
  const wheel = new Wheel();
  for (const deltaY of [40, -40, 40]) assert.equal(Math.abs(wheel.steps({ deltaY, deltaMode: 0 })), 0);
  assert.equal(wheel.steps({ deltaY: 10, deltaMode: 0 }), -1);
});

test("fingers twice as far apart bring twice as close", () => {
  assert.equal(pinch([10, 0], [20, 0], [0, 0]), 2);
  assert.equal(pinch([0, 0], [5, 0], [0, 0]), 5);
});
