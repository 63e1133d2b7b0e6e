// The planes as the server names them (planes.py), for the tests.

/** @type {Record<string, import("../../dashboard/components/viewer/geometry.js").Plane>} */
export const PLANES = {
  axial: { name: "axial", through: 2, across: 0, down: 1, turned: false, letters: "RLAP" },
  coronal: { name: "coronal", through: 1, across: 0, down: 2, turned: true, letters: "RLHF" },
  sagittal: { name: "sagittal", through: 0, across: 1, down: 2, turned: true, letters: "APHF" },
};
