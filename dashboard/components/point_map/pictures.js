// Fetches the thumbnails that the map wants; shows nothing itself.

import { readArrays } from "../browser_payload.js";
import { askFrom, senderCame, senderGone } from "../leaving.js";
import { onWanted, tellThumbnailsCame, thumbnails } from "./thumbnails.js";

/**
 * @typedef {import("../browser_payload.js").Bytes} Bytes
 * @typedef {import("@streamlit/component-v2-lib").FrontendRendererArgs<{wanted: string[]}, Bytes | null>} Component
 */

const PATIENCE_MS = 1500;
/** @type {WeakMap<Node, Fetcher>} */
const FETCHERS = new WeakMap();

class Fetcher {
  constructor() {
    const since = performance.now();
    this.askedAt = -Infinity;
    /** @type {Bytes | null} */
    this.data = null;
    /** @type {(items: string[]) => void} */
    this.send = () => {};
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
}

/** @param {Bytes} data */
async function keep(data) {
  const { header, arrays } = await readArrays(data);
  header.items.forEach((/** @type {string} */ id, /** @type {number} */ i) => {
    const [start, end] = header.places[i];
    const png = start === end ? null : new Blob([arrays.pictures.subarray(start, end)], { type: "image/png" });
    thumbnails().set(header.store + id, png && URL.createObjectURL(png));
  });
  tellThumbnailsCame();
}

/** @param {Component} component */
export default function pictures(component) {
  const root = component.parentElement;
  const fetcher = FETCHERS.get(root) ?? new Fetcher();
  FETCHERS.set(root, fetcher);
  fetcher.update(component);
  // Called between two updates as well as at the end: only what has left the page is taken down.
  return () => setTimeout(() => {
    const host = root instanceof ShadowRoot ? root.host : root;
    if (host.isConnected || !FETCHERS.delete(root)) return;
    fetcher.close();
  });
}
