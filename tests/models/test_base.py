"""Training and evaluation of a small network with Lightning's Trainer."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.plugins import MixedPrecision
from sklearn.metrics import recall_score
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Adam, AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau

from emorec.callbacks import BestAndLast
from emorec.callbacks.checkpointing import AUTO_MONITOR
from emorec.errors import UserError
from emorec.models import EarlyFusionCNN, LateFusion
from emorec.models.base import DivergedError, Schedule, make_schedulers

MakeData = Callable[..., Any]


def network(**arguments: Any) -> EarlyFusionCNN:
    """Return a deterministic network: without dropout."""
    torch.manual_seed(0)
    return EarlyFusionCNN(**({"num_frames": 2, "image_size": 16, "dropout": 0.0} | arguments))


def trainer(folder: Path, **arguments: Any) -> Trainer:
    quiet: dict[str, Any] = {
        "accelerator": "cpu",
        "default_root_dir": folder,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "max_epochs": 1,
    }
    return Trainer(**(quiet | arguments))


class Rates(Callback):
    """Record the learning rate of every step."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_train_batch_start(self, trainer: Trainer, *args: Any) -> None:
        self.values.append(trainer.optimizers[0].param_groups[0]["lr"])


def test_the_training_loss_is_smoothed_and_weighted(tmp_path: Path, make_data: MakeData) -> None:
    weights = torch.linspace(0.5, 2.0, 8)
    data = make_data(class_weights=weights)
    model = network(label_smoothing=0.1)
    batch = next(iter(data.train_dataloader()))
    with torch.no_grad():
        logits = model.train()(batch["frames"])
    expected = cross_entropy(logits, batch["label"], weight=weights, label_smoothing=0.1)
    run = trainer(tmp_path, limit_train_batches=1, limit_val_batches=0)
    run.fit(model, data)
    torch.testing.assert_close(run.callback_metrics["train/loss"], expected)
    assert "class_weights" not in model.state_dict()


def test_a_run_without_a_data_module_has_no_class_weights(
    tmp_path: Path, make_data: MakeData
) -> None:
    model, data = network(), make_data()
    trainer(tmp_path).fit(model, data.train_dataloader(), data.val_dataloader())
    assert model.class_weights is None


def test_metrics_are_logged_under_their_stage(tmp_path: Path, make_data: MakeData) -> None:
    run = trainer(tmp_path)
    run.fit(network(), make_data())
    figures = {"loss", "accuracy", "uar", "macro_f1"}
    assert set(run.callback_metrics) == (
        {f"train/{name}" for name in figures}
        | {f"val/{name}" for name in figures | {"ece"}}
        | {"train/loss_step", "train/loss_epoch"}
    )


def test_training_metrics_are_those_of_the_whole_epoch(tmp_path: Path, make_data: MakeData) -> None:
    outputs: list[tuple[Tensor, Tensor]] = []

    class Listener(Callback):
        def on_train_batch_start(
            self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
        ) -> None:
            with torch.no_grad():
                outputs.append((pl_module(batch["frames"]).argmax(1), batch["label"]))

    run = trainer(tmp_path, callbacks=[Listener()])
    run.fit(network(), make_data(clips=20))
    predicted, label = (torch.cat(part) for part in zip(*outputs, strict=True))
    assert len(label) == 20
    accuracy = (predicted == label).float().mean()
    assert run.callback_metrics["train/accuracy"] == pytest.approx(accuracy.item())


@pytest.mark.parametrize("stage", ["val", "test"])
def test_evaluation_metrics_are_computed_over_all_clips(
    tmp_path: Path, make_data: MakeData, stage: str
) -> None:
    model, data, run = network(label_smoothing=0.3), make_data(clips=10), trainer(tmp_path)
    (logged,) = (run.validate if stage == "val" else run.test)(model, data, verbose=False)
    loader = data.val_dataloader() if stage == "val" else data.test_dataloader()
    with torch.no_grad():
        logits = torch.cat([model.eval()(batch["frames"]) for batch in loader])
    label = torch.cat([batch["label"] for batch in loader])
    assert model.collected.index.tolist() == list(range(10))
    torch.testing.assert_close(model.collected.output, logits)
    assert logged[f"{stage}/loss"] == pytest.approx(cross_entropy(logits, label).item())
    assert logged[f"{stage}/uar"] == pytest.approx(
        recall_score(label, logits.argmax(1), average="macro")
    )
    assert logged[f"{stage}/accuracy"] == (logits.argmax(1) == label).float().mean()


def test_predict_returns_and_collects_indices_and_probabilities(
    tmp_path: Path, make_data: MakeData
) -> None:
    model = network()
    batches = trainer(tmp_path).predict(model, make_data(clips=6))
    assert batches is not None
    assert torch.cat([batch["index"] for batch in batches]).tolist() == list(range(6))  # type: ignore[call-overload]
    probabilities = torch.cat([batch["probabilities"] for batch in batches])  # type: ignore[call-overload]
    torch.testing.assert_close(model.collected.output.softmax(dim=1), probabilities)


@pytest.mark.parametrize("arguments", [{"limit_val_batches": 0}, {"fast_dev_run": True}])
@pytest.mark.parametrize("scheduler", ["plateau", "cosine", "none"])
def test_runs_without_validation_or_of_one_batch_succeed(
    tmp_path: Path, make_data: MakeData, arguments: dict[str, Any], scheduler: str
) -> None:
    run = trainer(tmp_path, **arguments)
    run.fit(network(scheduler=scheduler, warmup_epochs=1), make_data())
    assert run.state.finished


def test_the_cosine_schedule_is_per_step_and_ends_with_the_run(
    tmp_path: Path, make_data: MakeData
) -> None:
    rates = Rates()
    model = network(scheduler="cosine", warmup_epochs=1, lr=0.5)
    trainer(tmp_path, max_epochs=3, callbacks=[rates]).fit(model, make_data(clips=16))
    cosine = [(1 + math.cos(math.pi * step / 8)) / 4 for step in range(8)]
    assert rates.values == pytest.approx([0.125, 0.25, 0.375, 0.5, *cosine])


def test_warmup_counts_optimizer_steps_when_gradients_are_accumulated(
    tmp_path: Path, make_data: MakeData
) -> None:
    rates = Rates()
    run = trainer(tmp_path, max_epochs=2, callbacks=[rates], accumulate_grad_batches=2)
    run.fit(network(warmup_epochs=2, lr=1e-3), make_data(clips=16))
    quarters = [0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1.0, 1.0]
    assert rates.values == pytest.approx([quarter * 1e-3 for quarter in quarters])


def test_a_cosine_schedule_without_max_epochs_is_refused(
    tmp_path: Path, make_data: MakeData
) -> None:
    run = trainer(tmp_path, max_epochs=-1)
    with pytest.raises(UserError, match=r"the end of the run: set --trainer\.max_epochs"):
        run.fit(network(scheduler="cosine"), make_data())


def test_the_plateau_schedule_follows_the_validation_accuracy_and_the_rate_is_logged(
    tmp_path: Path, make_data: MakeData
) -> None:
    expected: list[float] = []

    class Oracle(Callback):
        """Divide the rate by 10 after each epoch that is not better than the best one."""

        best, rate = -1.0, 1e-3

        def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
            expected.append(self.rate)
            accuracy = float(trainer.callback_metrics["val/accuracy"])
            if accuracy <= self.best:
                self.rate *= 0.1
            self.best = max(self.best, accuracy)

    monitor = LearningRateMonitor()
    run = trainer(tmp_path, max_epochs=5, logger=CSVLogger(tmp_path), callbacks=[Oracle(), monitor])
    run.fit(network(scheduler="plateau", plateau_patience=0, lr=1e-3), make_data())
    assert monitor.lrs["lr-AdamW"] == pytest.approx(expected)
    assert expected[0] > expected[-1]


@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")
@pytest.mark.parametrize(
    "scheduler",
    ["plateau", *(pytest.param(name, marks=pytest.mark.nightly) for name in ("cosine", "none"))],
)
def test_a_resumed_run_ends_exactly_like_an_uninterrupted_one(
    tmp_path: Path, make_data: MakeData, scheduler: str
) -> None:
    def run(ckpt: Path | None = None) -> tuple[dict[str, Tensor], list[float]]:
        """Return the final weights and the rate of each step; each epoch is saved by Lightning."""
        saving = ModelCheckpoint(
            tmp_path / "epochs",
            filename="{epoch}",
            save_top_k=-1,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )
        model = network(
            scheduler=scheduler, plateau_patience=0, warmup_epochs=0.5, optimizer="adam", lr=1e-3
        )
        fit = trainer(
            tmp_path, max_epochs=4, callbacks=[saving, rates := Rates()], enable_checkpointing=True
        )
        fit.fit(model, make_data(clips=16), ckpt_path=ckpt, weights_only=True)
        return model.state_dict(), rates.values

    undisturbed, rates = run()
    for epoch in range(3):
        torch.manual_seed(epoch)
        resumed, last_rates = run(tmp_path / "epochs" / f"epoch={epoch}.ckpt")
        assert last_rates == rates[4 * (epoch + 1) :]
        assert all(torch.equal(undisturbed[name], value) for name, value in resumed.items())
    assert len(set(rates)) > 2 or scheduler == "none"


@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")
@pytest.mark.parametrize("scheduler", ["cosine", "inverse_time", "none"])
def test_a_resumed_run_may_have_another_learning_rate(
    tmp_path: Path, make_data: MakeData, scheduler: str
) -> None:
    def run(lr: float, ckpt: Path | None = None) -> list[float]:
        """Return the rate of each step; each epoch is saved."""
        saving = ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1)
        model = network(scheduler=scheduler, warmup_epochs=1.5, lr_decay=0.1, lr=lr)
        fit = trainer(
            tmp_path,
            max_epochs=3,
            limit_val_batches=0,
            callbacks=[saving, rates := Rates()],
            enable_checkpointing=True,
        )
        fit.fit(model, make_data(), ckpt_path=ckpt, weights_only=True)
        return rates.values

    undisturbed = run(1e-3)
    resumed = run(1e-5, tmp_path / "epoch=0.ckpt")
    assert resumed == pytest.approx([rate / 100 for rate in undisturbed[2:]])


class Diverges(EarlyFusionCNN):
    """A network whose loss, or whose outputs in validation, are a value after some optimizer steps."""

    value = math.nan
    loss_after = outputs_after = 1000

    def loss(self, output: Tensor, label: Tensor) -> Tensor:
        loss = super().loss(output, label)
        return loss + self.value if self.trainer.global_step >= self.loss_after else loss

    def evaluate(self, batch: Any) -> Tensor:
        if self.trainer.global_step >= self.outputs_after:
            self.classifier[-1].bias.data[0] = self.value
        return super().evaluate(batch)


@pytest.mark.parametrize(
    ("diverges", "precision", "message"),
    [
        pytest.param(
            *({"loss_after": 7}, "32-true", "step 2: the loss is NaN or infinite"),
            marks=pytest.mark.nightly,
        ),
        ({"loss_after": 7, "value": math.inf}, "bf16-mixed", "step 2: the loss is"),
        ({"outputs_after": 7}, "bf16-mixed", "step 3: validation outputs are .* for 8 of 8 clips"),
        pytest.param(
            *(
                {"outputs_after": 7, "value": -math.inf},
                "32-true",
                "step 3: validation outputs are",
            ),
            marks=pytest.mark.nightly,
        ),
    ],
)
def test_a_diverged_training_stops_and_leaves_the_checkpoints_of_the_epoch_before(
    tmp_path: Path, make_data: MakeData, diverges: dict[str, float], precision: str, message: str
) -> None:
    model = Diverges(num_frames=2, image_size=16, lr=3e-4)
    vars(model).update(diverges)
    saving = BestAndLast(
        tmp_path,
        "best",
        monitor=AUTO_MONITOR,
        mode="max",
        save_last=True,
        save_on_train_epoch_end=True,
        save_on_exception=True,
        enable_version_counter=False,
    )
    run = trainer(
        tmp_path, max_epochs=9, callbacks=[saving], enable_checkpointing=True, precision=precision
    )
    expected = rf"epoch 3, {message}.*; choose a --model\.lr smaller than 0\.0003"
    with pytest.raises(DivergedError, match=expected):
        run.fit(model, make_data(clips=8, batch_size=3))
    steps = {path.name: torch.load(path)["global_step"] for path in tmp_path.iterdir()}
    assert steps.keys() == {"best.ckpt", "last.ckpt"}
    assert steps["best.ckpt"] <= steps["last.ckpt"] == 6


def test_a_state_whose_loss_was_not_finite_is_not_saved_within_an_epoch_either(
    tmp_path: Path, make_data: MakeData
) -> None:
    model = Diverges(num_frames=2, image_size=16)
    model.loss_after = 1
    saving = ModelCheckpoint(tmp_path, filename="{step}", save_top_k=-1, every_n_train_steps=1)
    run = trainer(tmp_path, callbacks=[saving], enable_checkpointing=True)
    with pytest.raises(DivergedError, match="epoch 1, step 2"):
        run.fit(model, make_data(clips=8, batch_size=2))
    assert [path.name for path in tmp_path.iterdir()] == ["step=1.ckpt"]


def test_steps_that_a_gradient_scaler_skips_are_no_divergence(
    tmp_path: Path, make_data: MakeData
) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
    half = MixedPrecision("16-mixed", "cpu", scaler)
    model = network()
    before = [weights.clone() for weights in model.parameters()]
    run = trainer(tmp_path, plugins=[half], max_epochs=2)
    run.fit(model, make_data())
    assert scaler.get_scale() < 2.0**127  # as gradients were infinite
    assert all(map(torch.equal, before, model.parameters()))
    assert run.callback_metrics["train/loss"].isfinite()


@pytest.mark.parametrize("stage", ["validate", "test", "predict"])
def test_outputs_that_are_not_finite_have_no_scores(
    tmp_path: Path, make_data: MakeData, stage: str
) -> None:
    model, run = network(), trainer(tmp_path)
    model.classifier[-1].weight.data[1] = math.inf
    with pytest.raises(
        DivergedError, match="outputs are NaN or infinite for 8 of 8 clips: choose another"
    ):
        getattr(run, stage)(model, make_data())
    assert not {name for name in run.callback_metrics if name.startswith(("val", "test"))}


def test_the_optimizer_has_only_trainable_parameters(tmp_path: Path, make_data: MakeData) -> None:
    for name, kind in [("adam", Adam), ("adamw", AdamW)]:
        model = LateFusion(
            weights="none",
            freeze="all",
            num_frames=2,
            image_size=32,
            optimizer=name,  # type: ignore[arg-type]
            lr=0.02,
            weight_decay=0.3,
        )
        run = trainer(tmp_path)
        run.fit(model, make_data(clips=4, image_size=32))
        (group,) = run.optimizers[0].param_groups
        assert type(run.optimizers[0]) is kind
        assert (group["lr"], group["weight_decay"]) == (0.02, 0.3)
        assert group["params"] == list(model.classifier.parameters())


def test_a_checkpoint_is_loaded_without_its_pretrained_weights(
    tmp_path: Path, make_data: MakeData
) -> None:
    source = LateFusion(weights="none", num_frames=2, image_size=32).backbone.network
    path = tmp_path / "pretrained.pth"
    torch.save(source.state_dict(), path)
    model = LateFusion(weights=str(path), num_frames=2, image_size=32)
    run = trainer(tmp_path)
    run.fit(model, make_data(clips=4, image_size=32))
    run.save_checkpoint(tmp_path / "network.ckpt")
    path.unlink()
    again = LateFusion.load_from_checkpoint(tmp_path / "network.ckpt", weights_only=True)
    assert again.hparams["weights"] == str(path)
    held = again.state_dict()
    assert all(torch.equal(held[name], value) for name, value in model.state_dict().items())


# Lightning warns that repeated clips may be counted twice; they are not.
@pytest.mark.nightly
def test_a_compiled_network_trains_to_the_same_weights(tmp_path: Path, make_data: MakeData) -> None:
    models = [network(), network(compile=True)]
    for model in models:
        trainer(tmp_path, limit_val_batches=0).fit(model, make_data(clips=4))
    plain, compiled = (model.state_dict() for model in models)
    assert plain.keys() == compiled.keys()
    for name, value in plain.items():
        torch.testing.assert_close(compiled[name], value, rtol=1e-3, atol=1e-3)


def test_predictions_are_unavailable_before_a_run(tmp_path: Path, make_data: MakeData) -> None:
    model, run = network(), trainer(tmp_path)
    with pytest.raises(RuntimeError, match="nothing was predicted yet"):
        _ = model.collected
    run.validate(model, make_data(), verbose=False)
    assert len(EarlyFusionCNN.of(run.lightning_module).collected) == 8
    with pytest.raises(
        UserError, match=r"needs an emorec\.models\.LateFusion, not a EarlyFusionCNN"
    ):
        LateFusion.of(run.lightning_module)


def rates(schedule: Schedule, warmup_steps: int, steps: int) -> list[float]:
    """The rate of each step of a run with a base rate of 1."""
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedulers = make_schedulers(
        optimizer, schedule, warmup_steps=warmup_steps, total_steps=steps, plateau_patience=2
    )
    values = []
    for _ in range(steps):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for config in schedulers:
            if config.get("interval") == "step":
                config["scheduler"].step()  # type: ignore[call-arg]
    return values


@pytest.mark.parametrize("schedule", ["cosine", "plateau", "none"])
def test_the_warmup_is_linear(schedule: Schedule) -> None:
    assert rates(schedule, 4, 8)[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])


def test_after_the_warmup_the_cosine_equals_torchs() -> None:
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    oracle = CosineAnnealingLR(optimizer, T_max=10)
    expected = []
    for _ in range(10):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        oracle.step()
    assert rates("cosine", 3, 13)[3:] == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ["plateau", "none"])
def test_without_a_cosine_the_rate_is_constant_after_the_warmup(schedule: Schedule) -> None:
    assert rates(schedule, 3, 9)[2:] == pytest.approx([1.0] * 7)


@pytest.mark.parametrize("warmup_steps", [0, 1])
def test_no_warmup_needs_no_scheduler(warmup_steps: int) -> None:
    assert rates("none", warmup_steps, 3) == [1.0, 1.0, 1.0]
    assert rates("cosine", warmup_steps, 3)[0] == 1.0


def test_a_plateau_divides_the_rate_by_ten_after_more_than_its_patience() -> None:
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    (config,) = make_schedulers(
        optimizer, "plateau", warmup_steps=0, total_steps=9, plateau_patience=2
    )
    plateau = config["scheduler"]
    assert isinstance(plateau, ReduceLROnPlateau)
    values = []
    for accuracy in (0.3, 0.4, 0.4, 0.2, 0.4, 0.5):
        plateau.step(accuracy)
        values.append(optimizer.param_groups[0]["lr"])
    assert values == pytest.approx([1.0, 1.0, 1.0, 1.0, 0.1, 0.1])


def test_inverse_time_equals_keras_decay_after_the_warmup() -> None:
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.01)
    (config,) = make_schedulers(
        optimizer, "inverse_time", warmup_steps=2, total_steps=9, plateau_patience=2, decay=0.1
    )
    values = []
    for _ in range(5):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        config["scheduler"].step()  # type: ignore[call-arg]
    iterations = range(5)
    keras = [0.01 * (1.0 / (1.0 + 0.1 * iteration)) for iteration in iterations]
    assert values == pytest.approx([keras[0] / 2, *keras[1:]])
