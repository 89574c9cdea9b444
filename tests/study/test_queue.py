"""Each run is started by one worker, even if several enqueue it."""

from pathlib import Path

import pytest
from optuna.trial import TrialState

from emorec.errors import UserError
from emorec.study.definition import read_definition
from emorec.study.queue import RUN, Queue, open_storage


@pytest.fixture
def queues(tmp_path: Path) -> tuple[Queue, Queue]:
    """Queues of two workers for the same study of two runs."""
    (tmp_path / "net.yaml").write_text("model: {}\n")
    (tmp_path / "mine.yaml").write_text("configs: {Net: net.yaml}\nseeds: [0, 1]\n")
    definition = read_definition(tmp_path / "mine.yaml")
    first_worker, second_worker = (
        Queue(open_storage(str(tmp_path / "study.journal")), definition, {}, ["a", "b"])
        for _ in range(2)
    )
    return first_worker, second_worker


def test_a_run_enqueued_twice_is_started_once(
    queues: tuple[Queue, Queue],
) -> None:
    first_worker, second_worker = queues
    first_worker.fill(retry_failed=True)
    first_worker.study.enqueue_trial({}, user_attrs={RUN: "a"})  # as a concurrent worker would
    second = first_worker.study.trials[-1]
    first = dict(first_worker.waiting())["a"]
    assert second_worker.take("a", second) is None
    assert second_worker.take("a", first) is not None
    assert first_worker.take("a", first) is None
    assert [key for key, _ in first_worker.waiting()] == ["b"]


def test_an_interrupted_run_is_requeued_and_a_failed_one_on_the_next_start(
    queues: tuple[Queue, Queue],
) -> None:
    first_worker, second_worker = queues
    first_worker.fill(retry_failed=True)
    waiting = dict(first_worker.waiting())
    passed, failed = first_worker.take("a", waiting["a"]), first_worker.take("b", waiting["b"])
    assert passed is not None
    assert failed is not None
    second_worker.pass_on(passed.number)
    first_worker.fail(failed, "out of luck")
    first_worker.fill(retry_failed=False)
    assert [key for key, _ in second_worker.waiting()] == ["a"]
    first_worker.finish(passed, 0.5)  # too late: the other worker has taken it
    assert first_worker.study.trials[passed.number].state is TrialState.FAIL
    second_worker.fill(retry_failed=True)
    assert [key for key, _ in second_worker.waiting()] == ["a", "b"]


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ("nonsense://host/name", "--storage"),
        ("postgresql+psycopg2://me:secret@localhost/x", "install its driver"),
        ("sqlite:////dev/null/runs.db", "can't reach the storage"),
        ("FILE", "is not the storage of a study"),
    ],
)
def test_an_unusable_storage_is_a_one_line_error_without_its_password(
    storage: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("configs: {}\nmodel: 3\n")
    with pytest.raises(UserError) as error:
        open_storage(str(tmp_path / "file") if storage == "FILE" else storage)
    assert message in str(error.value)
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)
