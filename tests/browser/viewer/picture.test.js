import assert from "node:assert/strict";
import { test } from "node:test";
import { folded, pictureName } from "../../../dashboard/components/viewer/picture.js";

test("a picture is named after its cases, each once, with the characters of file names only", () => {
  assert.equal(pictureName(["case01", "case 7/../x", "case01"], "axial"), "ct-case01-case_7_.._x-axial.png");
  assert.equal(pictureName(["a".repeat(500)], "axial").length, "ct-".length + 120 + "-axial.png".length);
});

test("a text is folded between words, and a word that is too long has a line of its own", () => {
  assert.deepEqual(folded("one two  three incomprehensible four", (line) => line.length <= 9), ["one two", "three", "incomprehensible", "four"]);
  assert.deepEqual(folded("", () => true), []);
});
