import pytest

from emorec.cli.commands.synth import synth
from emorec.data.sets.ravdess.parser import parse_actors
from emorec.errors import UserError


def test_it_reports_the_written_clips_and_a_second_call_does_nothing(tmp_path, capsys):
    folder = tmp_path / "demo"
    options = {"actors": "1,24", "takes": 1, "width": 32, "height": 32, "num_frames": 3}
    synth(str(folder), **options, num_workers=0)
    assert f"wrote 16 clips of 2 actors to {folder} in " in capsys.readouterr().out
    synth(str(folder), **options, num_workers=0)
    assert capsys.readouterr().out == f"nothing to do: all 16 clips are in {folder}\n"
    (folder / "Actor_24" / "01-01-01-01-01-01-24.mp4").unlink()
    synth(str(folder), **options, num_workers=0)
    assert "wrote 1 clip of 2 actors (15 were there) to " in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "a", "3-1", "1;2", "1-", "-4"])
def test_a_list_of_actors_that_is_invalid_is_refused(text):
    with pytest.raises(UserError, match="write numbers and ranges"):
        parse_actors(text)
