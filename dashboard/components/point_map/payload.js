// What the server sends: a little-endian length, a JSON header of that length, then the arrays it names.
const TYPES = { uint8: Uint8Array, uint16: Uint16Array };

async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function decodePayload(data) {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = view.getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + headerLength)));
  const arrays = {};
  for (const part of header.arrays) {
    const start = 4 + headerLength + part.offset;
    let raw = bytes.slice(start, start + part.length);
    if (part.deflated) raw = await inflated(raw);
    arrays[part.name] =
      part.type === "json" ? JSON.parse(new TextDecoder().decode(raw)) : new TYPES[part.type](raw.buffer);
  }
  return { header, arrays };
}
