// The feed: brings the server's messages to the viewer of their channel, and its requests to the server.

import { connectionOf, readMessage } from "./message.js";

/** @typedef {import("@streamlit/component-v2-lib").FrontendRendererArgs<{request: import("./message.js").Request}, Uint8Array<ArrayBuffer>>} Component */

/** @type {WeakMap<Node, (request: import("./message.js").Request) => void>} */
const FEEDS = new WeakMap();

/** @param {Component} component */
export default function feed({ data, parentElement, setStateValue }) {
  const message = readMessage(data);
  const connection = connectionOf(message.header.channel);
  /** @param {import("./message.js").Request} request */
  const send = (request) => setStateValue("request", request);
  Object.assign(connection, { message, send });
  FEEDS.set(parentElement, send);
  connection.viewer?.receive(message);
  return () => {
    if (connection.send === FEEDS.get(parentElement)) Object.assign(connection, { message: null, send: null });
  };
}
