// What shows over a point: its picture and its fields.
const NEAR_PX = 14;
const WANTED_AT_ONCE = 36;

const tipMethods = {
  nearest(px, py, within) {
    if (!this.header || this.header.mode !== "points" || !this.xs) return -1;
    let best = -1, least = within * within;
    for (let i = 0; i < this.xs.length; i++) {
      const dx = this.xs[i] - px, dy = this.ys[i] - py, distance = dx * dx + dy * dy;
      if (distance < least) { least = distance; best = i; }
    }
    return best;
  },

  hover(px, py) {
    if (this.hovering) return;
    this.hovering = requestAnimationFrame(() => {
      this.hovering = null;
      const point = this.nearest(px, py, NEAR_PX);
      if (point < 0) { this.tip.hidden = true; return; }
      this.showTip(point);
    });
  },

  showTip(point) {
    this.tipPoint = point;
    const { ids, fields } = this.arrays.text;
    const id = ids[point];
    const rows = fields.map(([name, values, codes]) => {
      const row = element("div", "field");
      row.append(element("span", "key", name), element("span", "value", values[codes[point]]));
      return row;
    });
    const parts = [element("div", "id", id), ...rows];
    const url = this.pictures.get(this.header.store + id);
    if (url) {
      const picture = element("img");
      picture.src = url;
      picture.alt = "";
      parts.unshift(picture);
    } else if (url === undefined) this.want(point);
    this.tip.replaceChildren(...parts);
    this.tip.hidden = false;
    const left = this.xs[point] > this.width - 300 ? this.xs[point] - 14 - this.tip.offsetWidth : this.xs[point] + 14;
    const top = Math.min(Math.max(4, this.ys[point] - 40), this.height - this.tip.offsetHeight - 4);
    this.tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  },

  // The pictures of this point and of those round it, so that the next ones are there already.
  want(point) {
    const near = [];
    for (let i = 0; i < this.xs.length; i++) {
      const distance = Math.hypot(this.xs[i] - this.xs[point], this.ys[i] - this.ys[point]);
      if (distance < 160 && !this.pictures.has(this.header.store + this.arrays.text.ids[i])) near.push([distance, this.arrays.text.ids[i]]);
    }
    near.sort((a, b) => a[0] - b[0]);
    const items = near.slice(0, WANTED_AT_ONCE).map(([, id]) => id);
    window.dispatchEvent(new CustomEvent("flexict-pictures-wanted", { detail: items }));
  },
};
