// The component that is seen: mounts a viewer, and connects it with the feed of its channel.

import { askFrom } from "../leaving.js";
import { connectionOf } from "./message.js";
import { Viewer } from "./slice_viewer.js";

/** @type {WeakMap<Node, Viewer>} */
const VIEWERS = new WeakMap();

/** @param {import("@streamlit/component-v2-lib").FrontendRendererArgs<{}, {channel: string}>} component */
export default function slices({ data, parentElement }) {
  const viewer = VIEWERS.get(parentElement) ?? new Viewer(parentElement);
  VIEWERS.set(parentElement, viewer);
  const connection = connectionOf(data.channel);
  viewer.send = (request) => askFrom(viewer.since, () => connection.send?.(request));
  if (connection.viewer !== viewer) {
    connection.viewer = viewer;
    if (connection.message) viewer.receive(connection.message);
  }
  return () => {
    viewer.close();
    VIEWERS.delete(parentElement);
    if (connection.viewer === viewer) connection.viewer = null;
  };
}
