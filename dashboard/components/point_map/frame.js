// The tools, the canvases and the legend round the map.

import { canvasOf, contextOf, make } from "../elements.js";
import { tracePath } from "./drawing.js";

/**
 * @typedef {"lasso" | "box" | "move"} Tool
 * @typedef {import("./contents.js").Words} Words
 * @typedef {import("./contents.js").Group} Group
 */

/** @type {[Tool, string][]} */
const TOOLS = [["lasso", "Lasso"], ["box", "Box"], ["move", "Move"]];

export class Frame {
  /**
   * @param {object} acts
   * @param {(factor: number) => void} acts.zoom
   * @param {() => void} acts.whole
   */
  constructor({ zoom, whole }) {
    /** @type {Tool} */
    this.tool = "lasso";
    this.tools = TOOLS.map(([name, words]) =>
      make("button", { class: "tool", type: "button", "data-tool": name, onclick: () => this.useTool(name) }, words));
    /** @type {(words: string, label: string, act: () => void) => HTMLButtonElement} */
    const button = (words, label, act) => make("button", { class: "tool", type: "button", "aria-label": label, onclick: act }, words);
    this.note = make("span", { class: "note" });
    this.canvas = make("canvas", { class: "points", tabindex: 0, role: "img" });
    this.overlay = make("canvas", { class: "overlay" });
    this.tip = make("div", { class: "tip", hidden: "" });
    this.axisX = make("div", { class: "axis-x" });
    this.axisY = make("div", { class: "axis-y" });
    this.stage = make("div", { class: "stage" }, this.canvas, this.overlay, this.tip, this.axisX, this.axisY);
    this.legend = make("div", { class: "legend" });
    this.footer = make("p", { class: "footer" });
    this.live = make("p", { class: "live", "aria-live": "polite" });
    this.root = make("div", { class: "map" },
      make("div", { class: "bar", role: "toolbar", "aria-label": "Map tools" }, ...this.tools,
        button("+", "Zoom in", () => zoom(1.5)),
        button("−", "Zoom out", () => zoom(1 / 1.5)),
        button("Whole map", "Show the whole map", whole),
        this.note),
      make("div", { class: "body" }, this.stage, this.legend), this.footer, this.live);
    this.useTool("lasso");
  }

  /** @param {Tool} name */
  useTool(name) {
    this.tool = name;
    for (const one of this.tools) one.setAttribute("aria-pressed", String(one.dataset.tool === name));
    this.canvas.style.cursor = name === "move" ? "grab" : "crosshair";
  }

  /**
   * The words of a map, and its legend.
   * @param {Words} words
   * @param {(group: string, event: MouseEvent) => void} pickGroup
   */
  describe({ alt, axes, footer, note, colour, ramp, legend }, pickGroup) {
    this.canvas.setAttribute("aria-label", `${alt}. Arrow keys go from point to point, Enter selects, + and − zoom, Escape drops a drawing.`);
    this.axisX.textContent = axes[0];
    this.axisY.textContent = axes[1];
    this.footer.textContent = footer || "";
    this.note.textContent = note || "";
    const rim = textColour(this.canvas);
    this.legend.replaceChildren(make("strong", { class: "legend-title" }, colour), ...(ramp ? [rampScale(ramp)] : []),
      ...legend.map((group) => entry(group, rim, pickGroup)));
  }
}

/**
 * Colour of the page's text.
 * @param {Element} element
 */
export function textColour(element) {
  return getComputedStyle(element).getPropertyValue("--st-text-color") || "black";
}

/** @param {{colours: string[], ticks: [number, string][]}} ramp */
function rampScale({ colours, ticks }) {
  const band = make("div", { class: "band" });
  band.style.background = `linear-gradient(to top, ${colours.join(",")})`;
  return make("div", { class: "ramp" }, band, ...ticks.map(([at, words]) => {
    const tick = make("span", { class: "tick" }, words);
    tick.style.bottom = `calc(${at * 100}% - 0.6em)`;
    return tick;
  }));
}

/**
 * @param {Group} group
 * @param {string} rim
 * @param {(group: string, event: MouseEvent) => void} pickGroup
 */
function entry({ name, symbol, colour, count }, rim, pickGroup) {
  const icon = canvasOf(28, 28);
  const context = contextOf(icon);
  tracePath(context, symbol, 14, 14, 9);
  context.fillStyle = colour;
  context.fill();
  context.globalAlpha = 0.65;
  context.strokeStyle = rim;
  context.stroke();
  return make("button", {
    class: "entry", type: "button", title: `Select ${name}`, "aria-label": `Select ${name}, ${count} items`,
    onclick: (event) => pickGroup(name, event),
  }, icon, make("span", { class: "name" }, name), make("span", { class: "count" }, `n = ${count.toLocaleString("en")}`));
}
