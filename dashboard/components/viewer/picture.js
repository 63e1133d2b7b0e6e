// "Download PNG": what is seen, with its words, as one picture.

import { canvasOf, contextOf } from "../elements.js";
import { INK, paint } from "./painting.js";
import { windowWords } from "./shown.js";

const PICTURE_WIDTH = 420;
const PICTURE_TEXT = 74;
const FONT = "12px system-ui, sans-serif";
const TITLE_FONT = "600 14px system-ui, sans-serif";
const FOOT_FONT = "600 12px system-ui, sans-serif";

/**
 * A file name of the cases that are shown, such as "ct-case01-case07-axial.png".
 * @param {string[]} cases
 * @param {string} planes
 */
export function pictureName(cases, planes) {
  const safe = [...new Set(cases)].map((one) => one.replace(/[^A-Za-z0-9._-]+/g, "_")).join("-");
  return `ct-${safe.slice(0, 120)}-${planes}.png`;
}

/**
 * Draw all slots on one canvas and save it.
 * @param {import("./slice_viewer.js").Viewer} viewer
 */
export function savePicture(viewer) {
  const { slots } = viewer;
  const columns = Math.min(3, slots.length);
  const rows = Math.ceil(slots.length / columns);
  const wide = columns * PICTURE_WIDTH - 12;
  const footer = footLines(viewer.footer, wide);
  const high = PICTURE_WIDTH + PICTURE_TEXT;
  const ratio = 2;
  const canvas = canvasOf(columns * PICTURE_WIDTH * ratio, (rows * high + 30 + 17 * footer.length) * ratio);
  const context = contextOf(canvas);
  context.fillStyle = "#000000";
  context.fillRect(0, 0, canvas.width, canvas.height);
  slots.forEach((slot, i) => {
    const [x, y] = [(i % columns) * PICTURE_WIDTH, Math.floor(i / columns) * high];
    const part = canvasOf(PICTURE_WIDTH * ratio, PICTURE_WIDTH * ratio);
    paint(contextOf(part), PICTURE_WIDTH, PICTURE_WIDTH, ratio, slot.shown, viewer);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.drawImage(part, x, y + 26, PICTURE_WIDTH, PICTURE_WIDTH);
    write(context, slot.title.textContent, x + 6, y + 18, PICTURE_WIDTH - 12, TITLE_FONT);
    const lines = [slot.place.textContent, slot.caption.textContent].filter(Boolean);
    for (const [n, line] of lines.entries()) write(context, line, x + 6, y + PICTURE_WIDTH + 42 + 17 * n, PICTURE_WIDTH - 12, FONT);
  });
  const words = [windowWords(viewer.view), viewer.mapText()].filter(Boolean).join(" · ");
  write(context, words, 6, rows * high + 18, wide, FONT);
  for (const [n, line] of footer.entries()) write(context, line, 6, rows * high + 37 + 17 * n, wide, FOOT_FONT);
  canvas.toBlob((blob) => {
    if (!blob) throw new Error("the browser made no picture of the canvas");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    const shown = new Set(slots.map((slot) => viewer.items[slot.number].case));
    link.download = pictureName([...shown], viewer.view.three ? "three-planes" : viewer.view.plane);
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }, "image/png");
}

/**
 * @param {string} text
 * @param {number} wide
 */
function footLines(text, wide) {
  const context = contextOf(canvasOf(1, 1));
  context.font = FOOT_FONT;
  return folded(text, (line) => context.measureText(line).width <= wide);
}

/**
 * A text in lines that fit, where no word is too long.
 * @param {string} text
 * @param {(line: string) => boolean} fits
 */
export function folded(text, fits) {
  /** @type {string[]} */
  const lines = [];
  for (const word of text.split(" ").filter(Boolean)) {
    const longer = lines.length ? `${lines[lines.length - 1]} ${word}` : word;
    if (lines.length && fits(longer)) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/**
 * A line of text, made narrower where it is too long.
 * @param {CanvasRenderingContext2D} context
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {number} most
 * @param {string} font
 */
function write(context, text, x, y, most, font) {
  context.font = font;
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  context.fillStyle = INK;
  context.fillText(text, x, y, most);
}
