"""The description of cohort and sets in an exported table, from which `import` restores the same store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from embeddings.records import CohortInfo, SetIdentity
from embeddings.store.store import Store
from flexict.errors import FlexiCTError

FORMAT = 1
KEY = "flexict"
_TYPES: dict[str, pa.DataType] = {
    str(kind): kind for kind in (pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.timestamp("us"), pa.float32())
}


class NotOurExportError(FlexiCTError):
    """A file that this program did not export, or that was changed since."""


@dataclass(frozen=True)
class Description:
    """The cohort of an export.

    Attributes:
        covariates: CSV header -> column of the table.
        sets: set id -> its identity, and the number type of its store (`float32` or `float16`).
        types: of the table's columns but `vector`, as Arrow names them.
        vectors_sha256: set id -> `vectors_sha256` of its vectors; exports of older versions have none.
    """

    info: CohortInfo
    covariates: dict[str, str]
    sets: dict[str, tuple[SetIdentity, str]]
    types: dict[str, pa.DataType]
    vectors_sha256: dict[str, str]


def vectors_sha256(item_ids: Sequence[str], vectors: NDArray[np.float32]) -> str:
    """SHA-256 of the items' ids and their vectors `[n, width]`, independent of their order."""
    order = sorted(range(len(item_ids)), key=item_ids.__getitem__)
    found = hashlib.sha256(json.dumps([item_ids[row] for row in order]).encode())
    found.update(np.ascontiguousarray(vectors[order], dtype="<f4").tobytes())
    return found.hexdigest()


def describe(store: Store, set_ids: Sequence[str], schema: pa.Schema) -> str:
    """The description of these sets as JSON."""
    info = store.info()
    sets = store.sets().set_index("set_id").to_dict("index")
    names = [field.name for field in fields(SetIdentity)]
    identities = {set_id: {name: sets[set_id][name] for name in (*names, "number_type")} for set_id in set_ids}
    for set_id in set_ids:
        identities[set_id]["vectors_sha256"] = vectors_sha256(*store.vectors(set_id))
    cohort = asdict(info) | {"created": info.created.isoformat(), "data_root": str(info.data_root)}
    types = {field.name: str(field.type) for field in schema if field.name != "vector"}
    return json.dumps(
        {"format": FORMAT, "cohort": cohort, "covariates": store.covariates(), "sets": identities, "types": types}
    )


def read_description(path: Path, text: str | bytes) -> Description:
    """The description in an export.

    Raises:
        NotOurExportError: something else, or an export of a newer version of this program.
    """
    try:
        found = json.loads(text)
        if found["format"] > FORMAT:
            raise NotOurExportError(f"{path.name} was exported by a newer version of this program: update this one")
        cohort = found["cohort"]
        info = CohortInfo(
            **cohort
            | {
                "created": datetime.fromisoformat(cohort["created"]),
                "data_root": Path(cohort["data_root"]),
                "stage_order": tuple(cohort["stage_order"]),
            }
        )
        sets = {set_id: _identity(path, set_id, values) for set_id, values in found["sets"].items()}
        hashes = {set_id: str(v["vectors_sha256"]) for set_id, v in found["sets"].items() if "vectors_sha256" in v}
        _check_values(
            (info.name, info.cohort_csv, info.cohort_sha256, cohort["data_root"], *info.stage_order), info.simulated
        )
        types = {str(name): _TYPES[kind] for name, kind in found["types"].items()}
        covariates = {str(header): str(column) for header, column in found["covariates"].items()}
        _check_values([*covariates, *covariates.values()], info.simulated)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, NotOurExportError):
            raise
        raise NotOurExportError(
            f"{path.name} lacks the description that an export contains: export it again, or give --labels"
        ) from error
    return Description(info, covariates, sets, types, hashes)


def _identity(path: Path, set_id: str, values: Mapping[str, object]) -> tuple[SetIdentity, str]:
    identity = SetIdentity(**{field.name: values[field.name] for field in fields(SetIdentity)})  # type: ignore[arg-type]
    texts = [value for name, value in asdict(identity).items() if name not in ("width", "is_published")]
    _check_values([set_id, *texts], identity.is_published)
    if identity.set_id != set_id or values["number_type"] not in ("float32", "float16"):
        raise NotOurExportError(f"{path.name} was changed since it was exported (set {set_id!r}): export it again")
    return identity, str(values["number_type"])


def _check_values(texts: Iterable[object], flag: object) -> None:
    """Raise TypeError or ValueError where `flag` is not a boolean or a text cannot be stored."""
    if not isinstance(flag, bool):
        raise TypeError(f"{flag!r} is neither true nor false")
    for text in texts:
        if not isinstance(text, str) or "\0" in text:
            raise TypeError(f"{text!r} is not text")
        text.encode()
