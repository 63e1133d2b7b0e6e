import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { readArrays, readFrame } from "../../dashboard/components/browser_payload.js";

/**
 * A frame as browser_payload.py writes it.
 * @param {object} header
 * @param {...Uint8Array} blocks
 */
function frame(header, ...blocks) {
  const head = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);
  return new Uint8Array(Buffer.concat([length, head, ...blocks]));
}

test("a frame is a header and what follows it, wherever it lies in its buffer", () => {
  const sent = frame({ word: "Größe" }, Uint8Array.of(1, 2, 3));
  const within = new Uint8Array(sent.length + 5);
  within.set(sent, 5);
  for (const data of [sent, sent.buffer, within.subarray(5)]) {
    const { header, body } = readFrame(data);
    assert.deepEqual(header, { word: "Größe" });
    assert.deepEqual([...body], [1, 2, 3]);
  }
});

test("arrays of each kind arrive, compressed or not", async () => {
  const bytes = Uint8Array.of(7, 8, 9);
  const shorts = deflateSync(Uint8Array.of(255, 255, 1, 0));
  const json = Buffer.from('{"ids":["a"]}');
  const arrays = [
    { name: "odd", type: "uint8", offset: 0, length: 3, deflated: false },
    { name: "steps", type: "uint16", offset: 3, length: shorts.length, deflated: true },
    { name: "hu", type: "int16", offset: 3, length: shorts.length, deflated: true },
    { name: "text", type: "json", offset: 3 + shorts.length, length: json.length, deflated: false },
  ];
  const found = await readArrays(frame({ token: "t", arrays }, bytes, shorts, json));
  assert.equal(found.header.token, "t");
  assert.deepEqual(found.arrays, {
    odd: Uint8Array.of(7, 8, 9), steps: Uint16Array.of(65535, 1), hu: Int16Array.of(-1, 1), text: { ids: ["a"] },
  });
});
