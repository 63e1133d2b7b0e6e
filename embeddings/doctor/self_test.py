"""One scan through all steps in about ten seconds: simulated, written, read, prepared, encoded, stored, read back.

The vector is compared with `reference.json`, which `write_reference` computed. Vectors of different processors differ
in their last bits, so the direction is compared.
"""

from __future__ import annotations

import json
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from numpy.typing import NDArray

from embeddings.cohort.read import read_cohort
from embeddings.doctor.check import Check
from embeddings.imaging.images import read_scan
from embeddings.job.planning.views import Recipe, identity_of
from embeddings.records import EmbeddedItem
from embeddings.store.store import Store
from flexict.hub.encoders import Encoder, load_encoder
from flexict.phantoms import SCANNERS, chest_phantom
from flexict.presets.presets import default
from flexict.volume import Volume

ENCODER = "flexict-nano"
SEED, SEVERITY, SPACING_MM = 20260, 0.5, 2.5
LEAST_COSINE = 0.9999
MEASURED_S = 2.5
REFERENCE = Path(__file__).with_name("reference.json")
_AGAIN = "reinstall the packages of requirements.txt; if that does not help, report it with the output of --json"


def check_work() -> Iterator[Check]:
    """Whether the scan passes all steps correctly, and how many volumes per minute are read and encoded."""
    phantom = make_phantom()
    with tempfile.TemporaryDirectory(prefix="flexict-doctor-") as folder:
        path = Path(folder) / "phantom.nii.gz"
        sitk.WriteImage(phantom.to_sitk(), str(path), useCompression=True)
        volume = read_scan(path)[0]
        if not (np.array_equal(volume.array, phantom.array) and volume.same_grid(phantom)):
            yield Check("reading", "problem", "a NIfTI file is not read as it was written", _AGAIN)
            return
        reading = per_minute(lambda: default(read_scan(path)[0]).voxels())
        words = " x ".join(str(n) for n in phantom.shape[::-1])
        yield Check(
            "reading",
            "ok",
            f"{reading:.0f} volumes/min read and prepared, one after another (a phantom of {words} voxels)",
            values={"volumes_per_min": round(reading, 1), "shape_xyz": list(phantom.shape[::-1])},
        )
        encoder = load_encoder(ENCODER, device="auto")
        array = default(volume).voxels()
        vector = encode(encoder, array)
        encoding = per_minute(lambda: encode(encoder, array))
        yield Check(
            "encoding",
            "ok",
            f"{encoding:.0f} volumes/min with {ENCODER} on {encoder.device}, one at a time",
            values={
                "volumes_per_min": round(encoding, 1),
                "device": encoder.device,
                "threads": torch.get_num_threads(),
            },
        )
        yield compare(vector, encoder.weights_sha256)
        yield check_storing(Path(folder), encoder, vector)


def make_phantom() -> Volume:
    """The simulated CT of the reference, in HU."""
    return chest_phantom(SEED, severity=SEVERITY, scanner=SCANNERS["A"], spacing_mm=SPACING_MM).ct


def encode(encoder: Encoder, array: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vector `[width]` of one prepared volume."""
    return encoder.encode(array[None, None])[0]


def compare(vector: NDArray[np.float32], weights_sha256: str) -> Check:
    """The cosine of the vector with the reference, which is valid for one set of weights only."""
    reference = json.loads(REFERENCE.read_text(encoding="utf-8"))
    name = "vector"
    if not np.isfinite(vector).all():
        return Check(name, "problem", "contains NaN or infinite values", _AGAIN)
    if reference["weights_sha256"] != weights_sha256:
        advice = "reinstall this version of the program"
        return Check(name, "warning", f"the bundled weights of {ENCODER} are not those of the reference", advice)
    expected = np.asarray(reference["vector"], dtype=np.float64)
    cosine = float(vector @ expected / (np.linalg.norm(vector.astype(np.float64)) * np.linalg.norm(expected)))
    values = {"cosine": cosine, "least": LEAST_COSINE}
    finding = f"cosine {cosine:.7f} with the reference, at least {LEAST_COSINE} is needed"
    if cosine < LEAST_COSINE:
        return Check(name, "problem", finding, f"vectors made here are not comparable: {_AGAIN}", values)
    return Check(name, "ok", finding, values=values)


def check_storing(folder: Path, encoder: Encoder, vector: NDArray[np.float32]) -> Check:
    """Whether a store in the folder, beside `phantom.nii.gz`, returns the vector bit for bit."""
    csv = folder / "cohort.csv"
    csv.write_text("case_id,patient_id,image_path\nphantom,phantom,phantom.nii.gz\n", encoding="utf-8")
    store = Store(folder / "self-test.duckdb", read_only=False)
    store.register_cohort(read_cohort(csv), simulated=True)
    recipe = Recipe("volume", "default", 1.5, 64.0, 1)
    set_id = store.open_set(identity_of(encoder, recipe))
    store.commit(set_id, [EmbeddedItem("phantom/volume", "phantom", vector)])
    ids, vectors = Store(store.path).vectors(set_id)
    if ids == ["phantom/volume"] and vectors[0].tobytes() == vector.tobytes():
        return Check("storing", "ok", "a store returns the vector bit for bit")
    return Check("storing", "problem", "a store returns another vector than was written", _AGAIN)


def per_minute(work: Callable[[], Any]) -> float:
    """How often the work can be done per minute, measured for about 2.5 s."""
    began, count = time.perf_counter(), 0
    while (seconds := time.perf_counter() - began) < MEASURED_S or count == 0:
        work()
        count += 1
    return 60.0 * count / seconds


def write_reference(path: Path = REFERENCE) -> None:
    """Compute the reference in float32 on the CPU: needed after a change of flexict-nano, its preset or the phantom.

    Run `python -c "from embeddings.doctor.self_test import write_reference; write_reference()"`.
    """
    encoder = load_encoder(ENCODER, device="cpu")
    vector = encode(encoder, default(make_phantom()).voxels())
    content = {
        "what": f"{ENCODER} of chest_phantom({SEED}, severity={SEVERITY}, scanner A, spacing_mm={SPACING_MM}), "
        "preset default, float32 on a CPU; written by embeddings.doctor.self_test.write_reference",
        "weights_sha256": encoder.weights_sha256,
        "made_with": {
            "machine": platform.machine(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "SimpleITK": sitk.__version__,
        },
        "vector": [float(f"{value:.7g}") for value in vector],
    }
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")
