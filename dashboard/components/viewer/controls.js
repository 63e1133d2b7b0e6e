// The bar above the panels.

import { contextOf, make } from "../elements.js";
import { signed } from "./geometry.js";
import { ZOOM_STEP } from "./gestures.js";
import { savePicture } from "./picture.js";
import { offsetWords, PLANE_WORDS } from "./shown.js";

export class Controls {
  /** @param {import("./slice_viewer.js").Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    const { view } = viewer;
    /** @type {(words: string, title: string, act: () => void, label?: string | null) => HTMLButtonElement} */
    const button = (words, title, act, label = null) => make("button", { type: "button", title, "aria-label": label, onclick: act }, words);
    this.planes = Object.entries({ ...PLANE_WORDS, three: "Three planes" }).map(([name, words]) =>
      make("button", { type: "button", "data-plane": name, onclick: () => viewer.showPlane(name) }, words));
    this.item = make("select", { "aria-label": "Case in three planes", onchange: () => viewer.showItem(Number(this.item.value)) });
    this.window = make("select", { "aria-label": "CT window", onchange: () => viewer.chooseWindow(this.window.value) });
    /** @type {(name: "width" | "level", label: string, low: number, high: number) => HTMLInputElement} */
    const number = (name, label, low, high) =>
      make("input", { type: "number", min: low, max: high, step: 10, "aria-label": label, onchange: () => viewer.ownWindow(name, Number(this[name].value)) });
    this.width = number("width", "Window width in HU", 1, 4000);
    this.level = number("level", "Window level in HU", -1500, 3000);
    this.slider = make("input", { type: "range", "aria-label": "Scroll", oninput: () => viewer.scrollTo(Number(this.slider.value)) });
    this.offset = make("output", { class: "offset" });
    /** @type {(name: "outline" | "crosshair" | "box", words: string) => HTMLLabelElement} */
    const check = (name, words) => {
      const box = make("input", { type: "checkbox", onchange: () => viewer.set({ [name]: box.checked }) });
      box.checked = view[name];
      return make("label", { class: "check" }, box, words);
    };
    this.map = make("select", { "aria-label": "Patch map", onchange: () => viewer.chooseMap(this.map.value) },
      make("option", { value: "off" }, "No patch map"),
      make("option", { value: "similarity" }, "Similarity to a click"),
      make("option", { value: "pca" }, "PCA colours"));
    this.opacity = make("input", { type: "range", min: 0, max: 1, step: 0.05, "aria-label": "Opacity of the patch map",
      oninput: () => viewer.set({ opacity: Number(this.opacity.value) }) });
    this.opacity.value = String(view.opacity);
    this.scale = make("canvas", { width: 256, height: 1, class: "ramp", role: "img" });
    this.low = make("span");
    this.high = make("span");
    this.legend = make("span", { class: "legend" }, this.low, this.scale, this.high);
    this.words = make("span", { class: "map-words", role: "status" });
    this.spinner = make("span", { class: "spinner", "aria-hidden": "true" });
    this.again = button("Try again", "Compute the map again where it failed", () => viewer.retryMap());
    this.opacityLabel = make("label", { class: "check opacity" }, "Opacity", this.opacity);
    this.maps = make("div", { class: "row" }, this.map, this.opacityLabel, this.legend, this.spinner,
      this.words, this.again);
    this.root = make("div", { class: "controls" },
      make("div", { class: "row" },
        make("div", { class: "planes", role: "group", "aria-label": "Plane" }, ...this.planes), this.item,
        this.window, make("label", { class: "check" }, "W", this.width), make("label", { class: "check" }, "L", this.level),
        check("outline", "Mask outline"), check("crosshair", "Crosshair"), check("box", "Embedded box")),
      make("div", { class: "row" }, this.slider, this.offset,
        button("Home", "Back to the lesion, the slice or the middle of the scan", () => viewer.home()),
        button("−", "Zoom out", () => viewer.zoomMiddle(1 / ZOOM_STEP), "Zoom out"),
        button("+", "Zoom in", () => viewer.zoomMiddle(ZOOM_STEP), "Zoom in"),
        button("Whole scan", "Show the whole scan", () => viewer.showAll()),
        button("Download PNG", "Download what is seen as PNG", () => savePicture(viewer))),
      this.maps);
  }

  /**
   * The choices that the server names.
   * @param {import("./message.js").Beginning} beginning
   * @param {Uint8Array} ramp 256 RGB
   */
  fill({ items, windows, maps }, ramp) {
    this.item.replaceChildren(...items.map((one, i) => make("option", { value: i }, one.title || one.case)));
    this.window.replaceChildren(...[...windows.map(([name]) => name), "Own"].map((name) => make("option", { value: name }, name)));
    this.maps.hidden = !maps;
    const context = contextOf(this.scale);
    const image = context.createImageData(256, 1);
    for (let i = 0; i < 256; i += 1) image.data.set([...ramp.subarray(3 * i, 3 * i + 3), 255], 4 * i);
    context.putImageData(image, 0, 0);
  }

  /** Show what the view is. */
  update() {
    const { viewer } = this;
    const { view } = viewer;
    for (const one of this.planes) {
      const on = view.three ? one.dataset.plane === "three" : one.dataset.plane === view.plane;
      one.setAttribute("aria-pressed", String(on));
    }
    this.item.hidden = !view.three;
    this.item.value = String(view.item);
    this.window.value = view.window.name;
    this.show(this.width, Math.round(view.window.width));
    this.show(this.level, Math.round(view.window.level));
    const plane = viewer.planes[view.plane];
    const { low, high, step } = viewer.range(plane);
    Object.assign(this.slider, { min: String(low), max: String(high), step: String(step) });
    this.slider.value = String(view.place[plane.through]);
    const words = offsetWords(plane, view.place);
    this.slider.setAttribute("aria-valuetext", words);
    this.offset.textContent = view.three ? `${PLANE_WORDS[view.plane]}: ${words}` : words;
    this.map.value = view.map;
    const { map } = viewer;
    const lowest = map?.kind === "similarity" && map.grids.length ? map.low : null;
    this.opacityLabel.hidden = view.map === "off";
    this.legend.hidden = view.map !== "similarity" || typeof lowest !== "number";
    if (typeof lowest === "number") {
      this.low.textContent = `cosine ≤ ${signed(lowest, 2)}`;
      this.high.textContent = "1";
      this.scale.setAttribute("aria-label", `Colours from cosine ${lowest.toFixed(2)} (dark) to 1 (bright)`);
    }
    this.spinner.hidden = !(view.map !== "off" && (viewer.maps.waits(view, viewer.point) || map?.waiting));
    this.again.hidden = view.map === "off" || !this.spinner.hidden || map?.kind !== view.map || !map?.errors.some(Boolean);
    const said = viewer.mapText();
    if (this.words.textContent !== said) this.words.textContent = said;
  }

  /**
   * Show a number; what is being typed stays.
   * @param {HTMLInputElement} input
   * @param {number} value
   */
  show(input, value) {
    if (/** @type {Document | ShadowRoot} */ (input.getRootNode()).activeElement !== input) input.value = String(value);
  }
}
