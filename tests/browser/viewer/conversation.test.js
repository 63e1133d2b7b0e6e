import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { Conversation } from "../../../dashboard/components/viewer/conversation.js";
import { MapAnswers } from "../../../dashboard/components/viewer/map_answers.js";

/** @type {any[]} */
let sent;
/** @type {any} */
let viewer;
/** @type {Conversation} */
let conversation;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  sent = [];
  viewer = {
    signature: "s", point: null, clicked: false, items: [{}], map: null, maps: new MapAnswers(),
    view: { plane: "axial", place: [0, 0, 0], window: { name: "Lung", width: 1500, level: -600 }, map: "off" },
    unopened: () => [], wanted: () => [], schedule: () => {}, send: (/** @type {any} */ request) => sent.push(request),
  };
  conversation = new Conversation(viewer);
});

const answer = () => conversation.received(sent[sent.length - 1].seq);

test("slices that are lacking are asked for at once, and one request waits for the answer to another", () => {
  viewer.wanted = () => [[0, "axial", 5, null]];
  conversation.next();
  conversation.next();
  assert.equal(sent.length, 1);
  assert.deepEqual(sent[0].wants, [[0, "axial", 5, null]]);
  answer();
  conversation.next();
  assert.equal(sent.length, 2);
  assert.ok(sent[1].seq > sent[0].seq);
});

test("the answer to an earlier request is not taken for that to the latest", () => {
  conversation.ask([], [], "a");
  conversation.ask([], [], "b");
  conversation.received(sent[0].seq);
  assert.ok(conversation.outstanding);
});

test("what is shown is told once it rests", () => {
  conversation.next();
  mock.timers.tick(500);
  viewer.view.place = [0, 0, 3];
  conversation.next();
  mock.timers.tick(600);
  assert.equal(sent.length, 0);
  mock.timers.tick(800);
  assert.deepEqual(sent.map((one) => one.place), [[0, 0, 3]]);
  answer();
  conversation.next();
  mock.timers.tick(60000);
  assert.equal(sent.length, 1);
});

test("what needs the server to know what is shown waits until it does", () => {
  const act = mock.fn();
  conversation.ask([], [], conversation.state());
  viewer.view.place = [0, 0, 9];
  assert.ok(!conversation.known());
  conversation.tellThen(act);
  assert.deepEqual(sent[1].place, [0, 0, 9]);
  conversation.received(sent[0].seq);
  assert.equal(act.mock.callCount(), 0);
  answer();
  assert.equal(act.mock.callCount(), 1);
  assert.ok(conversation.known());
});

test("what is on its way already is not told twice", () => {
  const act = mock.fn();
  conversation.ask([], [], conversation.state());
  conversation.tellThen(act);
  assert.equal(sent.length, 1);
  answer();
  assert.equal(act.mock.callCount(), 1);
});

test("a map that is computed is asked for again and again, until it is there", () => {
  Object.assign(viewer, { map: { kind: "pca", key: "k", waiting: 2 } });
  viewer.view.map = "pca";
  viewer.maps.ask(viewer.view, null);
  viewer.maps.receive(null, () => {});
  conversation.told = conversation.state();
  conversation.next();
  mock.timers.tick(600);
  assert.deepEqual(sent.map((one) => [one.map, one.map_key]), [["pca", "k"]]);
});

test("a new point needs a new map of similarity, and no other", () => {
  const maps = new MapAnswers();
  const view = { ...viewer.view, map: "similarity" };
  const point = { panel: 0, place: [0, 0, 0], n: 1 };
  assert.ok(!maps.waits(view, null));
  assert.ok(maps.waits(view, point));
  maps.ask(view, point);
  maps.receive(null, () => new Uint8Array());
  assert.ok(!maps.waits(view, point));
  assert.ok(maps.waits(view, { ...point, n: 2 }));
  assert.ok(maps.waits({ ...view, map: "pca" }, point));
});
