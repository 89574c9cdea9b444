"""`emorec completion`: scripts of shells, tried in those that are installed."""

import shutil
import subprocess

import pytest

from emorec.cli import COMMANDS, EXPERIMENTS, main

TRY_BASH = """
source /dev/stdin
complete_last() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _shtab_emorec emorec "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
    echo "${COMPREPLY[@]}"
}
complete_last emorec ''
complete_last emorec fit --data.num_
complete_last emorec fit -c cnn_
complete_last emorec study seeds
complete_last emorec export --format ''
complete_last emorec export --ckpt face_
"""


def test_bash_completes_commands_options_choices_and_names_of_configs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["completion", "bash"])
    bash = subprocess.run(
        ["bash", "-c", TRY_BASH],
        input=capsys.readouterr().out,
        capture_output=True,
        text=True,
        check=True,
    )
    commands, *others = bash.stdout.splitlines()
    assert commands.split() == [*EXPERIMENTS, *COMMANDS]
    assert others == [
        "--data.num_frames --data.num_workers",
        "cnn_lstm",
        "seeds",
        "onnx torch_export safetensors",
        "face_and_sound face_and_sound_adapted",
    ]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_right_for_the_shell(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    main(["completion", shell])
    script = capsys.readouterr().out
    assert "blendshapes" in script  # an option of predict
    assert "face_and_sound" in script
    assert '"(*)' not in script  # zsh would complete the first of several files alone
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)
