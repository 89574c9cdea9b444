"""All workers agree whose a run is, also when several of them put it into the queue, and whether its worker lives."""

from pathlib import Path

import pytest
from optuna.trial import TrialState

from emorec.errors import UserError
from emorec.study.alive import FolderLock, Watch, nobody_works_in, this_machine
from emorec.study.definition import read_definition
from emorec.study.places import environments
from emorec.study.queue import RUN, Queue
from emorec.study.storage import cut_to_whole_lines, open_storage


@pytest.fixture
def queues(tmp_path: Path) -> tuple[Queue, Queue]:
    """The same study of two runs in two workers."""
    (tmp_path / "net.yaml").write_text("model: {}\n")
    (tmp_path / "mine.yaml").write_text("configs: {Net: net.yaml}\nseeds: [0, 1]\n")
    definition = read_definition(tmp_path / "mine.yaml")
    one, other = (
        Queue(open_storage(str(tmp_path / "study.journal")), definition, {}, ["a", "b"])
        for _ in range(2)
    )
    return one, other


def test_a_run_that_stands_in_the_queue_twice_is_handed_out_once(
    queues: tuple[Queue, Queue],
) -> None:
    one, other = queues
    one.fill(failed_too=True)
    one.study.enqueue_trial({}, user_attrs={RUN: "a"})  # as another worker does at the same time
    second = one.study.trials[-1]
    first = dict(one.waiting())["a"]
    assert other.take("a", second) is None
    assert other.take("a", first) is not None
    assert one.take("a", first) is None
    assert [key for key, _ in one.waiting()] == ["b"]


def test_a_run_that_was_passed_on_waits_once_more_and_a_failed_one_for_the_next_start(
    queues: tuple[Queue, Queue],
) -> None:
    one, other = queues
    one.fill(failed_too=True)
    waiting = dict(one.waiting())
    passed, failed = one.take("a", waiting["a"]), one.take("b", waiting["b"])
    assert passed is not None
    assert failed is not None
    other.pass_on(passed.number)
    one.fail(failed, "out of luck")
    one.fill(failed_too=False)
    assert [key for key, _ in other.waiting()] == ["a"]
    one.finish(passed, 0.5)  # too late: another worker has it
    assert one.study.trials[passed.number].state is TrialState.FAIL
    other.fill(failed_too=True)
    assert [key for key, _ in other.waiting()] == ["a", "b"]


def test_a_run_of_this_machine_is_dead_once_nobody_holds_its_folder(tmp_path: Path) -> None:
    said = {"machine": this_machine(), "folder": str(tmp_path)}
    with FolderLock(tmp_path) as lock:
        assert lock.acquire()
        assert not FolderLock(tmp_path).acquire()
        assert not Watch().is_dead(0, said)
    assert nobody_works_in(tmp_path)
    assert Watch().is_dead(0, said)


def test_a_run_of_another_machine_is_dead_once_its_sign_of_life_stands_still() -> None:
    now = 0.0
    watch = Watch(silent_seconds=100, clock=lambda: now)
    assert not watch.is_dead(0, {"machine": "other", "beat": {"number": 1}})
    now = 90.0
    assert not watch.is_dead(0, {"machine": "other", "beat": {"number": 2}})
    now = 180.0
    assert not watch.is_dead(0, {"machine": "other", "beat": {"number": 2}})
    now = 191.0
    assert watch.is_dead(0, {"machine": "other", "beat": {"number": 2}})


def test_half_a_line_at_the_end_of_a_journal_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    for before, after in ((b"1\n2\n3", b"1\n2\n"), (b"1\n", b"1\n"), (b"", b""), (b"1", b"")):
        path.write_bytes(before)
        cut_to_whole_lines(path)
        assert path.read_bytes() == after


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        ("nonsense://host/name", "--storage"),
        ("postgresql+psycopg2://me:secret@localhost/x", "is missing: pip install psycopg2-binary"),
        ("sqlite:////dev/null/runs.db", "can't reach the storage"),
        ("FILE", "is no storage of a study"),
    ],
)
def test_a_storage_that_can_t_be_used_is_one_line_without_its_password(
    place: str, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("configs: {}\nmodel: 3\n")
    with pytest.raises(UserError) as error:
        open_storage(str(tmp_path / "file") if place == "FILE" else place)
    assert complaint in str(error.value)
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_runs_take_turns_on_the_gpus_unless_they_choose_them_themselves() -> None:
    places = environments(3, ["4", "6"], 8, {}, {"OMP_NUM_THREADS": "1"})
    assert [place["CUDA_VISIBLE_DEVICES"] for place in places] == ["4", "6", "4"]
    assert environments(1, ["4"], 8, {"trainer.devices": 1}, {}) == [{}]
