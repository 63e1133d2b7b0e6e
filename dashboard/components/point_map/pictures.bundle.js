// dashboard/components/browser_payload.js
var NUMBERS = { uint8: Uint8Array, uint16: Uint16Array, int16: Int16Array };
function readFrame(data) {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  return { header, body: bytes.subarray(4 + length) };
}
async function readArrays(data) {
  const { header, body } = readFrame(data);
  const arrays = {};
  for (const { name, type, offset, length, deflated } of header.arrays) {
    const sent = body.slice(offset, offset + length);
    const raw = deflated ? await inflate(sent) : sent.buffer;
    arrays[name] = type === "json" ? JSON.parse(new TextDecoder().decode(raw)) : new NUMBERS[type](raw);
  }
  return { header, arrays };
}
function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

// dashboard/components/leaving.js
var LEAVING_MS = 1e4;
window.flexictLeaving ??= { leftAt: -Infinity, lastPath: location.pathname, onItsWay: false, senders: 0, listening: null };
var leaving = window.flexictLeaving;
function senderCame() {
  leaving.senders += 1;
  if (leaving.senders > 1) return;
  leaving.lastPath = location.pathname;
  leaving.listening = new AbortController();
  const until = { capture: true, signal: leaving.listening.signal };
  document.addEventListener("click", noteClick, until);
  window.addEventListener("popstate", noteReturn, until);
}
function senderGone() {
  leaving.senders -= 1;
  if (leaving.senders === 0) leaving.listening?.abort();
}
function askFrom(since, send) {
  if (leaving.leftAt > since && performance.now() - leaving.leftAt < LEAVING_MS) return;
  leaving.lastPath = location.pathname;
  send();
  leaving.onItsWay = true;
  setTimeout(() => {
    leaving.onItsWay = false;
  });
}
function linkOf(event) {
  const link = event.composedPath().find((one) => one instanceof HTMLAnchorElement);
  const elsewhere = event.ctrlKey || event.metaKey || event.shiftKey || link?.target && link.target !== "_self";
  if (!link || elsewhere || link.hasAttribute("download")) return null;
  return link.origin === location.origin && link.pathname !== location.pathname ? link : null;
}
function noteClick(event) {
  const link = linkOf(event);
  if (!link) return;
  leaving.leftAt = performance.now();
  if (!leaving.onItsWay) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  setTimeout(() => link.click());
}
function noteReturn() {
  if (location.pathname !== leaving.lastPath) leaving.leftAt = performance.now();
}

// dashboard/components/point_map/thumbnails.js
var WANTED = "flexict-pictures-wanted";
var CAME = "flexict-pictures";
function thumbnails() {
  window.flexictPictures ??= /* @__PURE__ */ new Map();
  return window.flexictPictures;
}
function tellThumbnailsCame() {
  window.dispatchEvent(new Event(CAME));
}
function onWanted(act) {
  const listener = (event) => act(
    /** @type {CustomEvent<string[]>} */
    event.detail
  );
  window.addEventListener(WANTED, listener);
  return () => window.removeEventListener(WANTED, listener);
}

// dashboard/components/point_map/pictures.js
var PATIENCE_MS = 1500;
var FETCHERS = /* @__PURE__ */ new WeakMap();
var Fetcher = class {
  constructor() {
    const since = performance.now();
    this.askedAt = -Infinity;
    this.data = null;
    this.send = () => {
    };
    senderCame();
    this.stop = onWanted((items) => {
      if (!items.length || performance.now() - this.askedAt < PATIENCE_MS) return;
      this.askedAt = performance.now();
      askFrom(since, () => this.send(items));
    });
  }
  close() {
    senderGone();
    this.stop();
  }
  /** @param {Component} component */
  update({ data, setStateValue }) {
    this.send = (items) => setStateValue("wanted", items);
    if (!data || data === this.data) return;
    this.data = data;
    this.askedAt = -Infinity;
    keep(data);
  }
};
async function keep(data) {
  const { header, arrays } = await readArrays(data);
  header.items.forEach((id, i) => {
    const [start, end] = header.places[i];
    const png = start === end ? null : new Blob([arrays.pictures.subarray(start, end)], { type: "image/png" });
    thumbnails().set(header.store + id, png && URL.createObjectURL(png));
  });
  tellThumbnailsCame();
}
function pictures(component) {
  const root = component.parentElement;
  const fetcher = FETCHERS.get(root) ?? new Fetcher();
  FETCHERS.set(root, fetcher);
  fetcher.update(component);
  return () => setTimeout(() => {
    const host = root instanceof ShadowRoot ? root.host : root;
    if (host.isConnected || !FETCHERS.delete(root)) return;
    fetcher.close();
  });
}
export {
  pictures as default
};
