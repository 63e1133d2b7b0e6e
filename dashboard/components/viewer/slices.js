// Slices that came from the server: kept, inflated, looked up, and turned into grey.

const MOST_SLICES = 400;

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

/** The slices of all panels, the longest unused of which are forgotten. */
class SliceCache {
  constructor() {
    this.whole = new Map();
    this.details = new Map();
    this.failed = new Map();
  }

  static key(panel, plane, index) {
    return `${panel}/${plane}/${index}`;
  }

  async add(record, blob) {
    const key = SliceCache.key(record.panel, record.plane, record.index);
    if (record.error !== undefined) {
      this.failed.set(key, record.error);
      return;
    }
    const [pixels, mask] = await Promise.all([
      inflate(blob(record.pixels)),
      record.mask === null ? null : inflate(blob(record.mask)),
    ]);
    const slice = { ...record, hu: new Int16Array(pixels), inside: mask === null ? null : new Uint8Array(mask) };
    if (record.detail) {
      this.details.set(`${record.panel}/${record.plane}`, slice);
      return;
    }
    this.whole.delete(key);
    this.whole.set(key, slice);
    while (this.whole.size > MOST_SLICES) this.whole.delete(this.whole.keys().next().value);
  }

  has(panel, plane, index) {
    const key = SliceCache.key(panel, plane, index);
    return this.whole.has(key) || this.failed.has(key);
  }

  get(panel, plane, index) {
    const key = SliceCache.key(panel, plane, index);
    const found = this.whole.get(key);
    if (found) {
      this.whole.delete(key);
      this.whole.set(key, found);
    }
    return found;
  }

  /** Why a slice cannot be had, where that is so. */
  failure(panel, plane, index) {
    return this.failed.get(SliceCache.key(panel, plane, index));
  }

  /** The slice, or the nearest that is here. */
  nearest(panel, plane, index, count) {
    for (let away = 0; away < count; away += 1) {
      for (const one of away ? [index - away, index + away] : [index]) {
        const found = this.get(panel, plane, one);
        if (found) return found;
      }
    }
    return undefined;
  }

  /** A part of a slice at a finer step, where it is of this slice. */
  detail(panel, plane, index) {
    const found = this.details.get(`${panel}/${plane}`);
    return found && found.index === index ? found : undefined;
  }
}

/** HU at screen mm, or undefined beside the slice. */
function huAt(slice, right, down) {
  const column = Math.floor((right - slice.left) / slice.pixel[0]);
  const row = Math.floor((down - slice.top) / slice.pixel[1]);
  if (column < 0 || row < 0 || column >= slice.columns || row >= slice.rows) return undefined;
  return slice.hu[row * slice.columns + column];
}

/** The slice in grey, as a canvas of one pixel a pixel; kept with the slice while the window stays. */
function greyOf(slice, width, level) {
  const wanted = `${width}/${level}`;
  if (slice.greyFor === wanted) return slice.grey;
  const canvas = slice.grey ?? document.createElement("canvas");
  canvas.width = slice.columns;
  canvas.height = slice.rows;
  const context = canvas.getContext("2d");
  const image = context.createImageData(slice.columns, slice.rows);
  const words = new Uint32Array(image.data.buffer);
  const low = level - width / 2;
  const gain = 255 / width;
  for (let i = 0; i < words.length; i += 1) {
    const grey = clamp((slice.hu[i] - low) * gain, 0, 255) | 0;
    words[i] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
  }
  context.putImageData(image, 0, 0);
  slice.grey = canvas;
  slice.greyFor = wanted;
  return canvas;
}

/** The edge of the lesion in pixels of the slice. */
function outlineOf(slice) {
  if (slice.outline !== undefined || slice.inside === null) return slice.outline ?? null;
  const { rows, columns, inside } = slice;
  const path = new Path2D();
  const at = (r, c) => r >= 0 && c >= 0 && r < rows && c < columns && inside[r * columns + c] !== 0;
  for (let r = 0; r <= rows; r += 1) {
    for (let c = 0; c <= columns; c += 1) {
      if (at(r, c) !== at(r - 1, c)) {
        path.moveTo(c, r);
        path.lineTo(c + 1, r);
      }
      if (at(r, c) !== at(r, c - 1)) {
        path.moveTo(c, r);
        path.lineTo(c, r + 1);
      }
    }
  }
  slice.outline = path;
  return path;
}
