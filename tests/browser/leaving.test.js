import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { tellBeforeDownloads } from "../../dashboard/components/viewer/downloads.js";

class Link {
  constructor(path = "/other", target = "") {
    Object.assign(this, { origin: "http://app", pathname: path, target, hasAttribute: () => false, click: mock.fn() });
  }
}

/** A click of which the listeners of the document hear; `found` is what was clicked. */
class Click extends Event {
  /**
   * @param {any} found
   * @param {object} keys
   */
  constructor(found, keys = {}) {
    super("click", { cancelable: true });
    Object.assign(this, { ctrlKey: false, metaKey: false, shiftKey: false, composedPath: () => [found], ...keys });
    Object.defineProperty(this, "target", { get: () => found });
  }
}

/** @type {typeof import("../../dashboard/components/leaving.js")} */
let leaving;
/** @type {any} */
let page;
let copies = 0;

beforeEach(async () => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  page = new EventTarget();
  const window = new EventTarget();
  Object.assign(globalThis, { window, document: page, location: { origin: "http://app", pathname: "/here" }, HTMLAnchorElement: Link });
  copies += 1;
  leaving = await import(`../../dashboard/components/leaving.js?copy=${copies}`);
});

test("a component asks the server while its page stays", () => {
  const send = mock.fn();
  leaving.senderCame();
  page.dispatchEvent(new Click({}));
  page.dispatchEvent(new Click(new Link("/here")));
  page.dispatchEvent(new Click(new Link(), { ctrlKey: true }));
  page.dispatchEvent(new Click(new Link("/other", "_blank")));
  leaving.askFrom(performance.now() - 1, send);
  assert.equal(send.mock.callCount(), 1);
});

test("a page that is left asks for nothing more, the next one does", () => {
  const [old, next] = [mock.fn(), mock.fn()];
  const came = performance.now() - 1;
  leaving.senderCame();
  page.dispatchEvent(new Click(new Link()));
  leaving.askFrom(came, old);
  leaving.askFrom(performance.now() + 1, next);
  assert.deepEqual([old.mock.callCount(), next.mock.callCount()], [0, 1]);
});

test("a link that is clicked while a request is on its way is followed after it", () => {
  const link = /** @type {any} */ (new Link());
  leaving.senderCame();
  leaving.askFrom(performance.now(), () => {});
  const click = new Click(link);
  page.dispatchEvent(click);
  assert.ok(click.defaultPrevented);
  assert.equal(link.click.mock.callCount(), 0);
  mock.timers.tick(1);
  assert.equal(link.click.mock.callCount(), 1);
});

test("clicks are heard until the last component has gone", () => {
  leaving.senderCame();
  leaving.senderCame();
  leaving.senderGone();
  page.dispatchEvent(new Click(new Link()));
  const left = window.flexictLeaving?.leftAt ?? 0;
  assert.ok(left > 0);
  leaving.senderGone();
  page.dispatchEvent(new Click(new Link()));
  assert.equal(window.flexictLeaving?.leftAt, left);
});

test("a download waits until the server knows what is shown", () => {
  let known = false;
  /** @type {(() => void)[]} */
  const waiting = [];
  const button = { click: mock.fn() };
  const inside = { closest: () => button };
  const stop = tellBeforeDownloads({ known: () => known, tellThen: (act) => { waiting.push(act); } });
  const held = new Click(inside);
  page.dispatchEvent(held);
  assert.ok(held.defaultPrevented);
  assert.equal(button.click.mock.callCount(), 0);
  for (const act of waiting) act();
  assert.equal(button.click.mock.callCount(), 1);
  known = true;
  const free = new Click(inside);
  page.dispatchEvent(free);
  assert.ok(!free.defaultPrevented);
  known = false;
  const elsewhere = new Click({ closest: () => null });
  page.dispatchEvent(elsewhere);
  assert.ok(!elsewhere.defaultPrevented);
  stop();
  const after = new Click(inside);
  page.dispatchEvent(after);
  assert.ok(!after.defaultPrevented);
});
