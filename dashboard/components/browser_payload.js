// The frame of what the server sends, as browser_payload.py writes it: a little-endian length, a JSON header of that
// length, and the bytes that the header speaks of.
function readFrame(data) {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  return { header, body: bytes.subarray(4 + length) };
}
