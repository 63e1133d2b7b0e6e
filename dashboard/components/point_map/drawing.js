// Points and densities on a canvas. Few points get shapes; many are written as squares of pixels, which is quick.

import { canvasOf, contextOf } from "../elements.js";

/**
 * @typedef {CanvasRenderingContext2D} Context
 * @typedef {import("./contents.js").Group} Group
 *
 * @typedef {object} Scene
 * @property {Group[]} groups by code
 * @property {number} width CSS pixels
 * @property {number} height
 * @property {number} ratio pixels of the canvas in a CSS pixel
 * @property {boolean} anySelected what is not selected is drawn faded
 *
 * @typedef {object} Points
 * @property {Float32Array} xs
 * @property {Float32Array} ys
 * @property {Uint8Array} codes
 * @property {Uint32Array} order in which they are drawn
 * @property {Uint8Array} selected 1 for each selected point
 * @property {number} radius
 * @property {string} ink of the rims, and of the rings round selected points
 *
 * @typedef {object} Cells
 * @property {number} columns
 * @property {number} rows
 * @property {Uint8Array} counts
 * @property {Uint8Array} group
 * @property {Uint8Array} share
 */

const SHAPED_POINTS = 12000;

/**
 * @param {string} hex such as #e69f00
 * @returns {[number, number, number]}
 */
export function rgb(hex) {
  const number = parseInt(hex.slice(1), 16);
  return [(number >> 16) & 255, (number >> 8) & 255, number & 255];
}

/**
 * @param {Context} context
 * @param {string} symbol
 * @param {number} x
 * @param {number} y
 * @param {number} r
 */
export function tracePath(context, symbol, x, y, r) {
  /** @param {number[][]} corners */
  const polygon = (corners) => {
    for (const [dx, dy] of corners) context.lineTo(x + dx * r, y + dy * r);
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

/**
 * One picture a group, drawn once and stamped many times.
 * @param {Group} group
 * @param {number} radius
 * @param {number} ratio
 * @param {string} rim
 */
function stamp(group, radius, ratio, rim) {
  const edge = Math.ceil((radius + 2) * 2 * ratio);
  const canvas = canvasOf(edge, edge);
  const context = contextOf(canvas);
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

/**
 * Draw points: with their shapes unless too many are on the screen.
 * @param {Context} context
 * @param {Scene & Points} scene
 */
export function drawPoints(context, scene) {
  (onScreen(scene) <= SHAPED_POINTS ? drawShapes : drawPixels)(context, scene);
}

/** @param {Scene & Points} scene */
function onScreen({ xs, ys, width, height }) {
  let count = 0;
  for (let i = 0; i < xs.length; i++) if (xs[i] >= 0 && ys[i] >= 0 && xs[i] <= width && ys[i] <= height) count++;
  return count;
}

/**
 * @param {Context} context
 * @param {Scene & Points} scene
 */
function drawShapes(context, scene) {
  const { xs, ys, codes, order, groups, radius, ratio, selected, anySelected, ink, width, height } = scene;
  const stamps = groups.map((group) => stamp(group, radius, ratio, ink));
  const half = stamps.length ? stamps[0].width / ratio / 2 : 0;
  for (const faded of anySelected ? [true, false] : [false]) {
    context.globalAlpha = faded ? 0.22 : 1;
    for (const i of order) {
      if (anySelected && (selected[i] === 1) === faded) continue;
      const x = xs[i];
      const y = ys[i];
      if (x < -half || y < -half || x > width + half || y > height + half) continue;
      context.drawImage(stamps[codes[i]], x - half, y - half, half * 2, half * 2);
    }
  }
  context.globalAlpha = 1;
  if (!anySelected) return;
  context.lineWidth = 2;
  context.strokeStyle = ink;
  for (const i of order) {
    if (selected[i] !== 1) continue;
    context.beginPath();
    context.arc(xs[i], ys[i], radius + 2.5, 0, 2 * Math.PI);
    context.stroke();
  }
}

/**
 * @param {Context} context
 * @param {Scene & Points} scene
 */
function drawPixels(context, scene) {
  const { width, height } = context.canvas;
  const layer = canvasOf(width, height);
  const layerContext = contextOf(layer);
  const image = layerContext.createImageData(width, height);
  fillSquares(new Uint32Array(image.data.buffer), width, height, scene);
  layerContext.putImageData(image, 0, 0);
  context.save();
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.drawImage(layer, 0, 0);
  context.restore();
}

/**
 * Squares of one colour, selected points above those that are not.
 * @param {Uint32Array} pixels ABGR, are written
 * @param {number} width of the picture
 * @param {number} height
 * @param {Pick<Scene & Points, "xs" | "ys" | "codes" | "groups" | "ratio" | "selected" | "anySelected" | "radius">} scene
 */
export function fillSquares(pixels, width, height, { xs, ys, codes, groups, ratio, selected, anySelected, radius }) {
  const inks = groups.map((group) => {
    const [r, g, b] = rgb(group.colour);
    return (b << 16) | (g << 8) | r;
  });
  const edge = Math.max(2, Math.round(radius * 2 * ratio * 0.8));
  for (const faded of anySelected ? [true, false] : [false]) {
    const alpha = (faded ? 60 : 235) << 24;
    for (let i = 0; i < xs.length; i++) {
      if (anySelected && (selected[i] === 1) === faded) continue;
      const left = Math.round(xs[i] * ratio - edge / 2);
      const top = Math.round(ys[i] * ratio - edge / 2);
      if (left < 0 || top < 0 || left + edge > width || top + edge > height) continue;
      const ink = (inks[codes[i]] | alpha) >>> 0;
      for (let row = top; row < top + edge; row++) pixels.fill(ink, row * width + left, row * width + left + edge);
    }
  }
}

/**
 * Draw the cells of a density in a rectangle of the screen.
 * @param {Context} context
 * @param {Scene & Cells} scene
 * @param {{left: number, top: number, right: number, bottom: number}} place
 */
export function drawDensity(context, scene, { left, top, right, bottom }) {
  const layer = canvasOf(scene.columns, scene.rows);
  const layerContext = contextOf(layer);
  const image = layerContext.createImageData(scene.columns, scene.rows);
  image.data.set(densityPixels(scene));
  layerContext.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(layer, left, top, right - left, bottom - top);
}

/**
 * Cells coloured by their most frequent group, the stronger the more items are in them, as RGBA.
 * @param {Pick<Scene & Cells, "counts" | "group" | "share" | "groups" | "anySelected">} scene
 */
export function densityPixels({ counts, group, share, groups, anySelected }) {
  const pixels = new Uint8ClampedArray(4 * counts.length);
  const inks = groups.map((one) => rgb(one.colour));
  for (let cell = 0; cell < counts.length; cell++) {
    if (!counts[cell]) continue;
    const shown = anySelected ? 0.15 + 0.85 * (share[cell] / 255) : 1;
    pixels.set([...inks[group[cell]], Math.round((90 + 165 * (counts[cell] / 255)) * shown)], cell * 4);
  }
  return pixels;
}
