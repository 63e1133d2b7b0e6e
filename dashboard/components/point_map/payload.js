// The arrays that the header of a frame names.
const TYPES = { uint8: Uint8Array, uint16: Uint16Array };

async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function decodePayload(data) {
  const { header, body } = readFrame(data);
  const arrays = {};
  for (const part of header.arrays) {
    let raw = body.slice(part.offset, part.offset + part.length);
    if (part.deflated) raw = await inflated(raw);
    arrays[part.name] =
      part.type === "json" ? JSON.parse(new TextDecoder().decode(raw)) : new TYPES[part.type](raw.buffer);
  }
  return { header, arrays };
}
