"""All workers agree who runs a run, also when several of them enqueue it."""

from pathlib import Path

import pytest
from optuna.trial import TrialState

from emorec.errors import UserError
from emorec.study.definition import read_definition
from emorec.study.queue import RUN, Queue, open_storage


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
    one.fill(retry_failed=True)
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
    one.fill(retry_failed=True)
    waiting = dict(one.waiting())
    passed, failed = one.take("a", waiting["a"]), one.take("b", waiting["b"])
    assert passed is not None
    assert failed is not None
    other.pass_on(passed.number)
    one.fail(failed, "out of luck")
    one.fill(retry_failed=False)
    assert [key for key, _ in other.waiting()] == ["a"]
    one.finish(passed, 0.5)  # too late: another worker has it
    assert one.study.trials[passed.number].state is TrialState.FAIL
    other.fill(retry_failed=True)
    assert [key for key, _ in other.waiting()] == ["a", "b"]


@pytest.mark.parametrize(
    ("storage", "complaint"),
    [
        ("nonsense://host/name", "--storage"),
        ("postgresql+psycopg2://me:secret@localhost/x", "install its driver"),
        ("sqlite:////dev/null/runs.db", "can't reach the storage"),
        ("FILE", "is not the storage of a study"),
    ],
)
def test_a_storage_that_can_t_be_used_is_one_line_without_its_password(
    storage: str, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("configs: {}\nmodel: 3\n")
    with pytest.raises(UserError) as error:
        open_storage(str(tmp_path / "file") if storage == "FILE" else storage)
    assert complaint in str(error.value)
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)
