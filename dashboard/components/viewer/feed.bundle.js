// dashboard/components/browser_payload.js
function readFrame(data) {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  return { header, body: bytes.subarray(4 + length) };
}

// dashboard/components/viewer/message.js
function readMessage(data) {
  const { header, body } = readFrame(data);
  return { header, blob: (n) => body.subarray(header.blobs[n][0], header.blobs[n][0] + header.blobs[n][1]) };
}
function connectionOf(channel) {
  window.flexictConnections ??= /* @__PURE__ */ new Map();
  const found = window.flexictConnections.get(channel) ?? { viewer: null, message: null, send: null };
  window.flexictConnections.set(channel, found);
  return found;
}

// dashboard/components/viewer/feed.js
var FEEDS = /* @__PURE__ */ new WeakMap();
function feed({ data, parentElement, setStateValue }) {
  const message = readMessage(data);
  const connection = connectionOf(message.header.channel);
  const send = (request) => setStateValue("request", request);
  Object.assign(connection, { message, send });
  FEEDS.set(parentElement, send);
  connection.viewer?.receive(message);
  return () => {
    if (connection.send === FEEDS.get(parentElement)) Object.assign(connection, { message: null, send: null });
  };
}
export {
  feed as default
};
