// What the server sends, as browser_payload.py writes it: a little-endian length, a JSON header of that length, and the
// bytes that the header describes.

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */

/** @type {Record<string, new (buffer: ArrayBuffer) => Uint8Array | Uint16Array | Int16Array>} */
const NUMBERS = { uint8: Uint8Array, uint16: Uint16Array, int16: Int16Array };

/**
 * @param {Bytes | ArrayBuffer} data
 * @returns {{header: any, body: Bytes}}
 */
export function readFrame(data) {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  return { header, body: bytes.subarray(4 + length) };
}

/**
 * The header of a frame and the arrays that it names.
 * @param {Bytes | ArrayBuffer} data
 * @returns {Promise<{header: any, arrays: Record<string, any>}>}
 */
export async function readArrays(data) {
  const { header, body } = readFrame(data);
  /** @type {Record<string, any>} */
  const arrays = {};
  for (const { name, type, offset, length, deflated } of header.arrays) {
    const sent = body.slice(offset, offset + length);
    const raw = deflated ? await inflate(sent) : sent.buffer;
    arrays[name] = type === "json" ? JSON.parse(new TextDecoder().decode(raw)) : new NUMBERS[type](raw);
  }
  return { header, arrays };
}

/**
 * Bytes that zlib compressed, as they were.
 * @param {Bytes} bytes
 */
export function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}
