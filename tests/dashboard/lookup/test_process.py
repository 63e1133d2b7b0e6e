"""A look-up is a task of the registry, whose vector is forgotten with the scan."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from streamlit.proto.Common_pb2 import FileURLs
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileRec

from dashboard.compute import background
from dashboard.compute.background import Registry
from dashboard.compute.task import Answer, Cancelled, Done, Failed, Running, Task
from dashboard.lookup.dropped_ct import DroppedCt
from dashboard.lookup.process import SLOT, LookUpRequest
from dashboard.session.settings import Settings
from embeddings import job
from embeddings.store.store import Store


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A server of its own for the test."""
    made = Registry()
    monkeypatch.setattr(background, "registry", lambda: made)
    yield made
    made.close()


@pytest.fixture(scope="module")
def embedded(cohort_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The volume of one case, by the bundled encoder."""
    path = tmp_path_factory.mktemp("embedded") / "c.duckdb"
    job.run(cohort_csv, path, encoder="flexict-nano", view="volume", limit=1)
    return path


@pytest.fixture
def request_of(embedded: Path, cohort_csv: Path) -> LookUpRequest:
    """A scan of the cohort itself."""
    return LookUpRequest(embedded, Store(embedded).sets()["set_id"][0], cohort_csv.parent / "case00.nii.gz")


def ended(registry: Registry, task: Task, session: str = "") -> Answer:
    if isinstance(registry.ask(task, session, SLOT), Running):
        registry.wait(task.key, session, SLOT, 1e6)
    return registry.look(task.key, session, SLOT)


def test_the_vector_is_that_of_the_set_and_is_forgotten_when_nobody_needs_it(
    registry: Registry, request_of: LookUpRequest
) -> None:
    answer = ended(registry, request_of.task)
    assert isinstance(answer, Done)
    _, vectors = Store(request_of.cohort).table(request_of.set_id)
    np.testing.assert_allclose(answer.result, vectors[0], rtol=1e-4, atol=1e-5)
    assert answer.result.dtype == np.float32
    assert isinstance(registry.ask(request_of.task, "another tab", SLOT), Done)
    registry.release("", SLOT)
    assert isinstance(registry.look(request_of.task.key, "another tab", SLOT), Done)
    registry.release("another tab", SLOT)
    assert isinstance(registry.look(request_of.task.key, "another tab", SLOT), Cancelled)


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"set_id": "no such set"}, "has no embedding set no such set"), ({"image": Path("absent.nii")}, "absent.nii")],
)
def test_what_a_look_up_refuses_is_a_sentence(
    registry: Registry, request_of: LookUpRequest, changes: dict[str, object], said: str
) -> None:
    answer = ended(registry, dataclasses.replace(request_of, **changes).task)  # type: ignore[arg-type]
    assert isinstance(answer, Failed)
    assert answer.refused
    assert said in answer.sentence


def test_requests_that_differ_have_other_keys(request_of: LookUpRequest) -> None:
    others = [
        request_of,
        dataclasses.replace(request_of, mask=request_of.image),
        dataclasses.replace(request_of, point_lps=(1.0, 2.0, 3.0)),
        dataclasses.replace(request_of, point_lps=(1.0, 2.0, 3.5)),
        dataclasses.replace(request_of, mask_label="--GTV p"),
    ]
    assert len({one.task.key for one in others}) == 5


def test_a_look_up_is_ended_when_its_ct_is_deleted(
    registry: Registry, request_of: LookUpRequest, settings: Settings
) -> None:
    dropped = DroppedCt()
    record = UploadedFileRec("1", "ct.nii.gz", "", request_of.image.read_bytes())
    dropped.take(UploadedFile(record, FileURLs()), None, settings, "", 10)
    assert dropped.image is not None
    dropped.asked = dataclasses.replace(request_of, image=dropped.image)
    assert isinstance(registry.ask(dropped.asked.task, "", SLOT), Running)
    key = dropped.asked.task.key
    dropped.forget()
    assert dropped.asked is None
    assert isinstance(registry.look(key, "", SLOT), Cancelled)
    assert registry.processes() == {}
