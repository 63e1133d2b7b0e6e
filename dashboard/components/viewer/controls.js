// The bar above the panels. Words that come from data are set as text, never as HTML.

const PLANE_WORDS = { axial: "Axial", coronal: "Coronal", sagittal: "Sagittal" };
const WAYS = {
  axial: ["towards the head", "towards the feet"],
  coronal: ["towards the back", "towards the front"],
  sagittal: ["towards the patient's left", "towards the patient's right"],
};

/** An element with attributes (`on...` are listeners) and children. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

class Controls {
  constructor(viewer) {
    this.viewer = viewer;
    const { view } = viewer;
    const button = (words, title, act, label = null) => make("button", { type: "button", title, "aria-label": label, onclick: act }, words);
    this.planes = Object.entries({ ...PLANE_WORDS, three: "Three planes" }).map(([name, words]) =>
      make("button", { type: "button", "data-plane": name, onclick: () => viewer.showPlane(name) }, words));
    this.item = make("select", { "aria-label": "Case in three planes", onchange: () => viewer.showItem(Number(this.item.value)) });
    this.window = make("select", { "aria-label": "CT window", onchange: () => viewer.chooseWindow(this.window.value) });
    const number = (name, label, low, high) =>
      make("input", { type: "number", min: low, max: high, step: 10, "aria-label": label, onchange: () => viewer.ownWindow(name) });
    this.width = number("width", "Window width in HU", 1, 4000);
    this.level = number("level", "Window level in HU", -1500, 3000);
    this.slider = make("input", { type: "range", "aria-label": "Scroll", oninput: () => viewer.scrollTo(Number(this.slider.value)) });
    this.offset = make("output", { class: "offset" });
    const check = (name, words) => {
      const box = make("input", { type: "checkbox", onchange: () => viewer.set(name, box.checked) });
      box.checked = view[name];
      return make("label", { class: "check" }, box, words);
    };
    this.map = make("select", { "aria-label": "Patch map", onchange: () => viewer.chooseMap(this.map.value) },
      make("option", { value: "off" }, "No patch map"),
      make("option", { value: "similarity" }, "Similarity to a click"),
      make("option", { value: "pca" }, "PCA colours"));
    this.opacity = make("input", { type: "range", min: 0, max: 1, step: 0.05, "aria-label": "Opacity of the patch map",
      oninput: () => viewer.set("opacity", Number(this.opacity.value)) });
    this.opacity.value = view.opacity;
    this.scale = make("canvas", { width: 256, height: 1, class: "ramp", role: "img" });
    this.low = make("span");
    this.high = make("span");
    this.legend = make("span", { class: "legend" }, this.low, this.scale, this.high);
    this.words = make("span", { class: "map-words", role: "status" });
    this.spinner = make("span", { class: "spinner", "aria-hidden": "true" });
    this.again = button("Try again", "Compute the map again where it failed", () => viewer.retryMap());
    this.maps = make("div", { class: "row" }, this.map, make("label", { class: "check opacity" }, "Opacity", this.opacity), this.legend, this.spinner,
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
        button("Whole scan", "Show the whole scan", () => viewer.fit()),
        button("Download PNG", "Download what is seen as PNG", () => savePicture(viewer))),
      this.maps);
  }

  /** The choices that the server names. */
  fill(items, windows, hasMaps, ramp) {
    this.item.replaceChildren(...items.map((one, i) => make("option", { value: i }, one.title || one.case)));
    this.window.replaceChildren(...[...windows.map(([name]) => name), "Own"].map((name) => make("option", { value: name }, name)));
    this.maps.hidden = !hasMaps;
    const context = this.scale.getContext("2d");
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
    Object.assign(this.slider, { min: low, max: high, step });
    const mm = view.place[plane.through];
    this.slider.value = mm;
    const words = viewer.offsetWords();
    this.slider.setAttribute("aria-valuetext", words);
    this.offset.textContent = view.three ? `${PLANE_WORDS[view.plane]}: ${words}` : words;
    this.map.value = view.map;
    const { map } = viewer;
    const ready = map && map.kind === view.map && map.grids.length > 0;
    this.opacity.parentElement.hidden = view.map === "off";
    this.legend.hidden = !(ready && view.map === "similarity");
    if (!this.legend.hidden) {
      this.low.textContent = `cosine ≤ ${signed(map.low, 2)}`;
      this.high.textContent = "1";
      this.scale.setAttribute("aria-label", `Colours from cosine ${map.low.toFixed(2)} (dark) to 1 (bright)`);
    }
    this.spinner.hidden = !(view.map !== "off" && (viewer.waitsForMap() || map?.waiting));
    this.again.hidden = view.map === "off" || !this.spinner.hidden || map?.kind !== view.map || !map.errors.some(Boolean);
    const said = viewer.mapText();
    if (this.words.textContent !== said) this.words.textContent = said;
  }

  show(input, value) {
    // What is being typed stays.
    if (input.getRootNode().activeElement !== input) input.value = String(value);
  }
}
