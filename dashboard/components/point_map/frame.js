// The tools, the canvases and the legend round the map.
function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

const frameMethods = {
  build() {
    const frame = element("div", "map");
    const bar = element("div", "bar");
    bar.setAttribute("role", "toolbar");
    bar.setAttribute("aria-label", "Map tools");
    this.buttons = {};
    for (const [name, words] of [["lasso", "Lasso"], ["box", "Box"], ["move", "Move"]]) {
      const button = element("button", "tool", words);
      button.type = "button";
      button.addEventListener("click", () => this.useTool(name));
      this.buttons[name] = button;
      bar.append(button);
    }
    for (const [words, label, act] of [
      ["+", "Zoom in", () => this.zoomAround(1.5)],
      ["−", "Zoom out", () => this.zoomAround(1 / 1.5)],
      ["Whole map", "Show the whole map", () => this.resetView()],
    ]) {
      const button = element("button", "tool", words);
      button.type = "button";
      button.setAttribute("aria-label", label);
      button.addEventListener("click", act);
      bar.append(button);
    }
    this.note = element("span", "note");
    bar.append(this.note);
    this.body = element("div", "body");
    this.stage = element("div", "stage");
    this.canvas = element("canvas", "points");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.overlay = element("canvas", "overlay");
    this.tip = element("div", "tip");
    this.tip.hidden = true;
    this.axisX = element("div", "axis-x");
    this.axisY = element("div", "axis-y");
    this.stage.append(this.canvas, this.overlay, this.tip, this.axisX, this.axisY);
    this.legend = element("div", "legend");
    this.body.append(this.stage, this.legend);
    this.footer = element("p", "footer");
    this.live = element("p", "live");
    this.live.setAttribute("aria-live", "polite");
    frame.append(bar, this.body, this.footer, this.live);
    this.root.append(frame);
    this.useTool("lasso");
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.stage);
  },

  useTool(name) {
    this.tool = name;
    for (const [key, button] of Object.entries(this.buttons)) button.setAttribute("aria-pressed", String(key === name));
    this.canvas.style.cursor = name === "move" ? "grab" : "crosshair";
  },

  describe() {
    const { header } = this;
    this.canvas.setAttribute("aria-label", `${header.alt}. Arrow keys go from point to point, Enter selects, + and − zoom, Escape drops a drawing.`);
    this.axisX.textContent = header.axes[0];
    this.axisY.textContent = header.axes[1];
    this.footer.textContent = header.footer || "";
    this.note.textContent = header.note || "";
    this.legend.replaceChildren(element("strong", "legend-title", header.colour));
    if (header.ramp) {
      const scale = element("div", "ramp");
      const band = element("div", "band");
      band.style.background = `linear-gradient(to top, ${header.ramp.colours.join(",")})`;
      scale.append(band);
      for (const [at, words] of header.ramp.ticks) {
        const tick = element("span", "tick", words);
        tick.style.bottom = `calc(${at * 100}% - 0.6em)`;
        scale.append(tick);
      }
      this.legend.append(scale);
    }
    header.legend.forEach((group) => {
      const button = element("button", "entry");
      button.type = "button";
      const icon = element("canvas");
      icon.width = icon.height = 28;
      const context = icon.getContext("2d");
      tracePath(context, group.symbol, 14, 14, 9);
      context.fillStyle = group.colour;
      context.fill();
      context.globalAlpha = 0.65;
      context.strokeStyle = getComputedStyle(this.canvas).getPropertyValue("--st-text-color") || "black";
      context.stroke();
      button.append(icon, element("span", "name", group.name), element("span", "count", `n = ${group.count.toLocaleString("en")}`));
      button.title = `Select ${group.name}`;
      button.setAttribute("aria-label", `Select ${group.name}, ${group.count} items`);
      button.addEventListener("click", (event) => this.pick({ kind: "group", group: group.name }, event));
      this.legend.append(button);
    });
  },
};
