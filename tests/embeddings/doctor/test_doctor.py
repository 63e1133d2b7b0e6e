"""The doctor: what it finds on a sound machine, and that nothing it finds broken keeps it from going on."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pytest

from embeddings.__main__ import main
from embeddings.doctor import Check, devices, disk, encoder_weights, examine, machine, self_test
from embeddings.doctor.check import text
from embeddings.doctor.cohort_file import check_store
from embeddings.store.store import Store
from flexict.hub.checkpoints import WeightsFile
from flexict.hub.encoders import load_encoder
from flexict.hub.registry import BUNDLED

ROOT = Path(__file__).resolve().parents[3]
NANO = BUNDLED / "flexict-nano.safetensors"


def run(*words: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Python with these words, `path` before everything else that is imported."""
    search = os.pathsep.join([*([str(path)] if path else []), str(ROOT)])
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONPATH": search, "OMP_NUM_THREADS": "1"},
        check=False,
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates measured for a moment instead of seconds."""
    monkeypatch.setattr(self_test, "MEASURED_S", 0.01)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the doctor went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("FLEXICT_CHECKPOINT", "FLEXICT_2D_CHECKPOINT", "FLEXICT_3D_CHECKPOINT", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.mark.usefixtures("quick", "no_network", "no_weights")
def test_a_sound_machine_is_ready_and_every_subject_was_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["doctor", "--db", str(tmp_path / "new.duckdb"), "--data-root", str(ROOT), "--json"]
    assert main(words) == 0
    found = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert not [check for check in found.values() if check["state"] == "problem"]
    assert {"versions", "cores", "memory", "data root", "locks", "store", "weights of flexict-nano"} <= set(found)
    assert found["versions"]["values"]["versions"]["duckdb"] == duckdb.__version__
    for side in ("reading", "encoding"):
        assert found[side]["values"]["volumes_per_min"] > 0
    assert found["vector"]["values"]["cosine"] >= self_test.LEAST_COSINE
    assert found["storing"]["state"] == "ok"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("quick", "no_weights")
def test_a_person_reads_a_line_a_finding_and_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "no.duckdb").write_text("a text")
    assert main(["doctor", "--db", str(tmp_path / "no.duckdb")]) == 2
    out = capsys.readouterr().out
    assert "ok       locks: work between processes" in out
    assert f"PROBLEM  store: {tmp_path}/no.duckdb is not a DuckDB file" in out
    assert "warning  weights of flexict-3d: not on this machine" in out
    assert "without a network, set FLEXICT_3D_CHECKPOINT" in out
    assert out.rstrip().endswith("1 problem to solve before anything is embedded")


@pytest.mark.parametrize(
    ("library", "words"),
    [
        ("torch", ["-m", "embeddings", "doctor"]),
        ("torch", ["-m", "embeddings.doctor"]),
        ("duckdb", ["-m", "embeddings.doctor"]),
    ],
    ids=["torch", "torch, by its own name", "duckdb, by its own name"],
)
def test_a_broken_library_is_a_problem_and_no_traceback(library: str, words: list[str], tmp_path: Path) -> None:
    broken = tmp_path / library
    broken.mkdir()
    (broken / "__init__.py").write_text("raise ImportError('libcudart.so.99: cannot open shared object file')\n")
    done = run(*words, "--json", path=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    found = {check["name"]: check for check in json.loads(done.stdout)}
    assert found[library]["state"] == "problem"
    assert "libcudart.so.99" in found[library]["finding"]
    assert found["self-test"]["state"] == "problem"
    # What does not need it was examined all the same.
    assert found["cores"]["state"] in ("ok", "warning")
    assert found["locks"]["state"] in ("ok", "warning")


def test_a_check_that_fails_is_a_finding_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fall_over() -> Check:
        raise RuntimeError("no\nsuch file")

    monkeypatch.setattr(machine, "check_memory", fall_over)
    monkeypatch.setattr(self_test, "check_work", lambda: [])
    monkeypatch.setattr(encoder_weights, "check_weights", lambda given: [])
    found = {check.name: check for check in examine(tmp_path / "x.duckdb")}
    assert found["machine"].state == "problem"
    assert "RuntimeError: no such file" in found["machine"].finding
    assert found["store"].state == "ok"


def test_control_characters_in_names_do_not_reach_the_terminal() -> None:
    shown = text([Check("store", "ok", "a\x1b[2Jb")])
    assert "\x1b" not in shown
    assert "a\\x1b[2Jb" in shown


# Libraries, cores and memory


def grouped(root: Path, version: int, cpu: str, memory: str) -> Path:
    """A root folder with the control group files of one container."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text("MemTotal: 64000000 kB\nMemAvailable: 60000000 kB\n")
    top = root / "sys/fs/cgroup"
    if version == 2:
        (root / "proc/self/cgroup").write_text("0::/jobs/job 7\n")
        (top / "jobs/job 7").mkdir(parents=True)
        (top / "jobs/job 7/memory.max").write_text("max\n")
        (top / "jobs/memory.max").write_text(memory)
        (top / "jobs/memory.current").write_text("1000000000\n")
        (top / "jobs/cpu.max").write_text(f"{cpu} 100000\n")
    else:
        (root / "proc/self/cgroup").write_text("5:cpu,cpuacct:/job\n4:memory:/job\n1:name=systemd:/\n")
        (top / "cpu/job").mkdir(parents=True)
        (top / "memory/job").mkdir(parents=True)
        (top / "cpu/job/cpu.cfs_quota_us").write_text(cpu)
        (top / "cpu/job/cpu.cfs_period_us").write_text("100000")
        (top / "memory/job/memory.limit_in_bytes").write_text(memory)
        (top / "memory/job/memory.usage_in_bytes").write_text("1000000000")
    return root


@pytest.mark.parametrize("version", [1, 2])
def test_a_container_is_held_to_its_share(version: int, tmp_path: Path) -> None:
    root = grouped(tmp_path, version, "150000", "3000000000")
    assert machine.share_of_this_process(root) == machine.Share(1.5, 3000000000, 1000000000)
    found = machine.check_memory(root)
    assert found.state == "warning"
    assert "2 GB free of the container's 3 GB" in found.finding


@pytest.mark.parametrize(("version", "cpu", "memory"), [(1, "-1", "9223372036854771712"), (2, "max", "max")])
def test_a_group_without_limits_is_none(version: int, cpu: str, memory: str, tmp_path: Path) -> None:
    root = grouped(tmp_path, version, cpu, memory)
    share = machine.share_of_this_process(root)
    assert (share.cores, share.memory) == (None, None)
    assert machine.check_memory(root).state == "ok"


def test_fewer_cores_than_are_seen_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "share_of_this_process", lambda: machine.Share(2.0, None, None))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    found = machine.check_cores()
    assert found.state == "warning"
    assert found.advice == "give embed --workers 2"


def test_a_library_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "versions", lambda: dict.fromkeys(machine.REQUIRED, "1.0") | {"pydicom": None})
    found = {check.name: check for check in machine.check_libraries()}
    assert (found["pydicom"].state, found["pydicom"].finding) == ("problem", "is not installed")


def test_a_gpu_that_torch_cannot_use_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA A100, 80GB, 570.86.10'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(devices.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(devices.torch.version, "cuda", None)
    (found,) = devices.check_devices()
    assert found.state == "warning"
    assert "NVIDIA A100, 80GB, but this torch is built for CPUs only" in found.finding


# Disk


def test_locks_that_do_not_hold_are_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert disk.check_locks(tmp_path / "not made yet").state in ("ok", "warning")
    monkeypatch.setattr(disk, "_TRY_LOCK", "print('granted')")
    found = disk.check_locks(tmp_path)
    assert found.state == "problem"
    assert "do not work between processes" in found.finding
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that nobody can write to")
def test_a_folder_that_cannot_be_written_to_is_a_problem() -> None:
    assert disk.check_locks(Path("/proc")).state == "problem"


def test_network_file_systems_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "22 21 0:40 / /mnt/big\\040data rw,relatime shared:5 - nfs4 server:/x rw\n"
        "23 21 0:41 / /mnt/bigger rw - fuse.sshfs a@b:/ rw\n"
    )
    kinds = [disk.kind_of_file_system(Path(p), mounts) for p in ("/mnt/big data/ct", "/mnt/bigger/x", "/mnt/big")]
    assert kinds == ["nfs4", "fuse.sshfs", "ext4"]
    assert [disk.is_network(kind) for kind in (*kinds, "overlay", "lustre", None)] == [
        True,
        True,
        False,
        False,
        True,
        False,
    ]
    assert disk.kind_of_file_system(tmp_path, tmp_path / "absent") is None
    monkeypatch.setattr(disk, "kind_of_file_system", lambda folder: "nfs4")
    found = disk.check_locks(tmp_path)
    assert found.state == "warning"
    assert "network file system nfs4" in found.finding


@pytest.mark.parametrize(("free", "state"), [(1e8, "problem"), (1e9, "warning"), (1e12, "ok")])
def test_little_space_is_told_before_it_is_used_up(
    free: float, state: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(2e12, 0, free))
    assert {check.state for check in disk.check_folders(tmp_path, None, tmp_path)} == {state}


def test_a_data_root_that_is_not_there_or_empty_is_told(tmp_path: Path) -> None:
    assert disk.check_data_root(tmp_path / "gone").state == "problem"
    assert disk.check_data_root(tmp_path).state == "warning"
    assert disk.check_data_root(ROOT).state == "ok"


# Weights


@pytest.mark.usefixtures("no_weights", "no_network")
def test_weights_are_found_where_embed_would_find_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sha256 = WeightsFile(NANO, "test").sha256
    snapshot = tmp_path / "hub/models--ricklisz123--FlexiCT-2D/snapshots/abc"
    snapshot.mkdir(parents=True)
    shutil.copy(NANO, snapshot / "model.safetensors")
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs/main").write_text("abc")
    monkeypatch.setenv("FLEXICT_3D_CHECKPOINT", str(NANO))
    monkeypatch.setenv("FLEXICT_VLM_CHECKPOINT", str(NANO))
    found = {check.name.removeprefix("weights of "): check for check in encoder_weights.check_weights()}
    assert found.pop("flexict-nano-vlm").values["chosen_by"] == "bundled"
    assert {name: check.values["chosen_by"] for name, check in found.items()} == {
        "flexict-nano": "bundled",
        "flexict-2d": "hub cache",
        "flexict-3d": "FLEXICT_3D_CHECKPOINT",
        "flexict-3d-vlm": "FLEXICT_VLM_CHECKPOINT",
    }
    assert {check.values["sha256"] for check in found.values()} == {sha256}
    assert all(sha256[:12] in check.finding for check in found.values())


@pytest.mark.usefixtures("no_weights", "no_network")
def test_a_variable_that_names_no_file_is_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FLEXICT_2D_CHECKPOINT", str(tmp_path / "lost.safetensors"))
    found = {check.name: check for check in encoder_weights.check_weights()}
    assert found["weights of flexict-2d"].state == "problem"
    assert found["weights of flexict-2d"].advice == "correct FLEXICT_2D_CHECKPOINT"
    assert found["weights of flexict-3d"].state == "warning"


@pytest.mark.usefixtures("no_weights", "no_network")
@pytest.mark.parametrize(
    ("given", "state", "words"),
    [
        (str(NANO), "ok", "fits flexict-nano"),
        ("{tmp}/absent.safetensors", "problem", "are not on this machine"),
        ("owner/model", "problem", "are not on this machine"),
        ("{tmp}/broken.safetensors", "problem", "not a complete safetensors file"),
    ],
    ids=["nano", "absent", "hub name", "broken"],
)
def test_given_weights_are_looked_into(given: str, state: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "broken.safetensors").write_bytes(NANO.read_bytes()[:1000])
    found = next(iter(encoder_weights.check_weights(given.format(tmp=tmp_path))))
    assert (found.state, words in found.finding) == (state, True), found


# Store


def test_a_store_says_what_it_holds(store: Store) -> None:
    found, root = check_store(store.path, None)
    assert found.state == "ok"
    assert "4 cases, schema" in found.finding
    assert (root.name, root.state) == ("data root", "ok")


def test_a_store_in_use_names_who_has_it(store: Store) -> None:
    code = "import duckdb, sys, time; con = duckdb.connect(sys.argv[1]); print('open', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(store.path)], stdout=subprocess.PIPE, encoding="utf-8"
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        try:
            (found,) = check_store(store.path, None)
        finally:
            holder.kill()
    assert found.state == "warning"
    assert f"process {holder.pid}" in found.finding


def test_a_store_of_a_newer_version_is_a_problem(store: Store) -> None:
    with duckdb.connect(store.path) as con:
        con.execute("UPDATE schema_version SET version = 999")
    (found,) = check_store(store.path, None)
    assert found.state == "problem"
    assert "newer version" in found.finding


# Self-test


def test_the_reference_is_of_the_bundled_weights() -> None:
    reference = json.loads(self_test.REFERENCE.read_text(encoding="utf-8"))
    assert reference["weights_sha256"] == WeightsFile(NANO, "test").sha256
    assert len(reference["vector"]) == load_encoder("flexict-nano").width


def test_a_vector_that_points_elsewhere_is_a_problem() -> None:
    reference = json.loads(self_test.REFERENCE.read_text(encoding="utf-8"))
    vector, sha256 = np.asarray(reference["vector"], np.float32), reference["weights_sha256"]
    assert self_test.compare(vector, sha256).state == "ok"
    noise = np.random.default_rng(0).normal(size=len(vector)).astype(np.float32) * vector.std()
    assert self_test.compare(vector + 0.001 * noise, sha256).state == "ok"
    assert self_test.compare(vector + 0.1 * noise, sha256).state == "problem"
    assert self_test.compare(np.full_like(vector, np.nan), sha256).state == "problem"
    assert self_test.compare(vector, "0" * 64).state == "warning"


@pytest.mark.usefixtures("quick")
def test_a_scan_that_comes_back_changed_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_off(path: Path) -> tuple[object, None]:
        volume = self_test.make_phantom()
        return type(volume)(volume.array + 1, volume.spacing, volume.origin, volume.direction), None

    monkeypatch.setattr(self_test, "read_scan", one_off)
    (found,) = self_test.check_work()
    assert (found.name, found.state) == ("reading", "problem")
