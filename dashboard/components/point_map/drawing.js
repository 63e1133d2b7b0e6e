// Points and densities on a canvas. Few points get shapes; many are written as squares of pixels, which is quick.
const SHAPED_POINTS = 12000;

function rgb(hex) {
  const number = parseInt(hex.slice(1), 16);
  return [(number >> 16) & 255, (number >> 8) & 255, number & 255];
}

function tracePath(context, symbol, x, y, r) {
  const polygon = (corners) => {
    corners.forEach(([dx, dy], i) => context[i ? "lineTo" : "moveTo"](x + dx * r, y + dy * r));
    context.closePath();
  };
  context.beginPath();
  if (symbol === "square") polygon([[-0.85, -0.85], [0.85, -0.85], [0.85, 0.85], [-0.85, 0.85]]);
  else if (symbol === "triangle-up") polygon([[0, -1.1], [1, 0.8], [-1, 0.8]]);
  else if (symbol === "triangle-down") polygon([[0, 1.1], [1, -0.8], [-1, -0.8]]);
  else if (symbol === "diamond") polygon([[0, -1.15], [1.15, 0], [0, 1.15], [-1.15, 0]]);
  else if (symbol === "pentagon") polygon([0, 1, 2, 3, 4].map((i) => [Math.sin(i * 1.2566), -Math.cos(i * 1.2566)]));
  else if (symbol === "cross" || symbol.startsWith("x")) {
    const a = 0.38;
    const arms = [[-a, -1], [a, -1], [a, -a], [1, -a], [1, a], [a, a], [a, 1], [-a, 1], [-a, a], [-1, a], [-1, -a], [-a, -a]];
    const turn = symbol === "cross" ? 0 : Math.PI / 4;
    polygon(arms.map(([p, q]) => [p * Math.cos(turn) - q * Math.sin(turn), p * Math.sin(turn) + q * Math.cos(turn)]));
  } else context.arc(x, y, r, 0, 2 * Math.PI);
}

// One picture a group, drawn once and stamped many times.
function stamp(group, radius, ratio, rim) {
  const edge = Math.ceil((radius + 2) * 2 * ratio);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = edge;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  tracePath(context, group.symbol, edge / ratio / 2, edge / ratio / 2, radius);
  context.fillStyle = group.colour;
  context.fill();
  // The palest and the darkest colours of a ramp are near those of a light and a dark page.
  context.globalAlpha = 0.65;
  context.lineWidth = 1;
  context.strokeStyle = rim;
  context.stroke();
  return canvas;
}

function drawShapes(context, scene) {
  const { xs, ys, codes, order, groups, radius, ratio, selected, anySelected, rim, width, height } = scene;
  const stamps = groups.map((group) => stamp(group, radius, ratio, rim));
  const half = stamps.length ? stamps[0].width / ratio / 2 : 0;
  for (const faded of anySelected ? [true, false] : [false]) {
    context.globalAlpha = faded ? 0.22 : 1;
    for (const i of order) {
      if (anySelected && (selected[i] === 1) === faded) continue;
      const x = xs[i], y = ys[i];
      if (x < -half || y < -half || x > width + half || y > height + half) continue;
      context.drawImage(stamps[codes[i]], x - half, y - half, half * 2, half * 2);
    }
  }
  context.globalAlpha = 1;
  if (!anySelected) return;
  context.lineWidth = 2;
  context.strokeStyle = scene.ring;
  for (const i of order) {
    if (selected[i] !== 1) continue;
    context.beginPath();
    context.arc(xs[i], ys[i], radius + 2.5, 0, 2 * Math.PI);
    context.stroke();
  }
}

function drawPixels(context, scene) {
  const { xs, ys, codes, groups, ratio, selected, anySelected, radius } = scene;
  const { width, height } = context.canvas;
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const inks = groups.map((group) => { const [r, g, b] = rgb(group.colour); return (b << 16) | (g << 8) | r; });
  const edge = Math.max(2, Math.round(radius * 2 * ratio * 0.8));
  for (const faded of anySelected ? [true, false] : [false]) {
    const alpha = (faded ? 60 : 235) << 24;
    for (let i = 0; i < xs.length; i++) {
      if (anySelected && (selected[i] === 1) === faded) continue;
      const left = Math.round(xs[i] * ratio - edge / 2), top = Math.round(ys[i] * ratio - edge / 2);
      if (left < 0 || top < 0 || left + edge > width || top + edge > height) continue;
      const ink = (inks[codes[i]] | alpha) >>> 0;
      for (let row = top; row < top + edge; row++) pixels.fill(ink, row * width + left, row * width + left + edge);
    }
  }
  const layer = document.createElement("canvas");
  layer.width = width;
  layer.height = height;
  layer.getContext("2d").putImageData(image, 0, 0);
  context.save();
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.drawImage(layer, 0, 0);
  context.restore();
}

// Cells coloured by their most frequent group, the stronger the more items they hold.
function drawDensity(context, scene) {
  const { counts, groupOf, share, columns, rows, groups, place, anySelected } = scene;
  const layer = document.createElement("canvas");
  layer.width = columns;
  layer.height = rows;
  const layerContext = layer.getContext("2d");
  const image = layerContext.createImageData(columns, rows);
  const inks = groups.map((group) => rgb(group.colour));
  for (let cell = 0; cell < counts.length; cell++) {
    if (!counts[cell]) continue;
    const [r, g, b] = inks[groupOf[cell]];
    const shown = anySelected ? 0.15 + 0.85 * (share[cell] / 255) : 1;
    image.data.set([r, g, b, Math.round((90 + 165 * (counts[cell] / 255)) * shown)], cell * 4);
  }
  layerContext.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(layer, place.left, place.top, place.width, place.height);
}
