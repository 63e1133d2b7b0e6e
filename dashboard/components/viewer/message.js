// What the feed and the viewer share. The viewer stands on the page; the feed, which Streamlit runs again for every
// request, brings its messages. So the pictures are not sent their own program again, nor greyed out while they wait.

/** A message of the server: header and a function that gives a blob by its number. */
function readMessage(data) {
  const { header, body } = readFrame(data);
  return { header, blob: (n) => body.subarray(header.blobs[n][0], header.blobs[n][0] + header.blobs[n][1]) };
}

/** The line between the viewer and the feed of a channel: `viewer`, the latest `message`, and `send`. */
function lineOf(channel) {
  const lines = (globalThis.sliceViewerLines ??= new Map());
  if (!lines.has(channel)) lines.set(channel, { viewer: null, message: null, send: null });
  return lines.get(channel);
}
