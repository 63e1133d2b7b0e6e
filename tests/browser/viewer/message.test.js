import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import feed from "../../../dashboard/components/viewer/feed.js";
import { connectionOf, readMessage } from "../../../dashboard/components/viewer/message.js";

beforeEach(() => Object.assign(globalThis, { window: {} }));

/** @param {object} header */
function message(header) {
  const head = new TextEncoder().encode(JSON.stringify({ ...header, blobs: [[0, 2], [2, 1]] }));
  const bytes = new Uint8Array(4 + head.length + 3);
  new DataView(bytes.buffer).setUint32(0, head.length, true);
  bytes.set(head, 4);
  bytes.set([7, 8, 9], 4 + head.length);
  return bytes;
}

/**
 * @param {Uint8Array<ArrayBuffer>} data
 * @param {Element} parentElement
 * @param {any[]} sent
 */
const mount = (data, parentElement, sent) =>
  feed(/** @type {any} */ ({ data, parentElement, setStateValue: (/** @type {any[]} */ ...words) => sent.push(words) }));

test("blobs are found by their number", () => {
  const { header, blob } = readMessage(message({ seq: 3 }));
  assert.equal(header.seq, 3);
  assert.deepEqual([[...blob(0)], [...blob(1)]], [[7, 8], [9]]);
});

test("the feed hands a message to the viewer of its channel alone, and takes its requests to the server", () => {
  /** @type {any[]} */
  const [received, sent] = [[], []];
  connectionOf("a").viewer = { receive: async (/** @type {any} */ one) => { received.push(one.header.channel); } };
  mount(message({ channel: "b" }), /** @type {any} */ ({}), sent);
  assert.deepEqual(received, []);
  mount(message({ channel: "a" }), /** @type {any} */ ({}), sent);
  assert.deepEqual(received, ["a"]);
  connectionOf("a").send?.(/** @type {any} */ ({ seq: 1 }));
  assert.deepEqual(sent, [["request", { seq: 1 }]]);
});

test("a message that came before its viewer waits for it, until the feed has gone", () => {
  const place = /** @type {any} */ ({});
  const end = mount(message({ channel: "c", seq: 5 }), place, []);
  assert.equal(connectionOf("c").message?.header.seq, 5);
  end();
  assert.deepEqual(connectionOf("c"), { viewer: null, message: null, send: null });
});

test("the end of an earlier turn does not cut off a later one", () => {
  const place = /** @type {any} */ ({});
  const endFirst = mount(message({ channel: "d", seq: 1 }), place, []);
  mount(message({ channel: "d", seq: 2 }), /** @type {any} */ ({}), []);
  endFirst();
  assert.equal(connectionOf("d").message?.header.seq, 2);
});
