"""Whether two study files mean the same study: everything that decides a result, as plain values."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from emorec.study.definition import Definition, Settings
from emorec.study.plan import result_settings


def identity(definition: Definition, everywhere: Settings) -> dict[str, Any]:
    """All that decides the results of a study, the content of its experiment files included.

    Args:
        definition: What the study file says.
        everywhere: The settings from the command line; those of the machine don't count.
    """
    return {
        "configs": {
            name: {**_content(network.config), **network.settings}
            for name, network in definition.configs.items()
        },
        "settings": dict(definition.settings),
        "overrides": {name: dict(said) for name, said in definition.overrides.items()},
        "folds": list(definition.folds),
        "seeds": list(definition.seeds),
        "search": {name: repr(each) for name, each in definition.space.items()},
        "trials": definition.trials,
        "prune_after": definition.prune_after,
        "command line": dict(result_settings(everywhere)),
    }


def _content(path: Path) -> Mapping[str, Any]:
    """An experiment file with the parts that it refers to; empty when it is none, of which `emorec fit` complains."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        return {}
    return {
        section: _content(path.parent / said)
        if isinstance(said, str) and (path.parent / said).is_file()
        else said
        for section, said in content.items()
    }


def first_difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """What differs between two studies, in words; `None` when nothing does.

    >>> first_difference({"seeds": [0], "settings": {}}, {"seeds": [0, 1], "settings": {}})
    'seeds [0] there, [0, 1] here'
    >>> first_difference({"settings": {"model.lr": 0.1}}, {"settings": {}})
    'settings: model.lr 0.1 there, not set here'
    """
    there, here = dict(_flat(one)), dict(_flat(other))
    for place in [*there, *here]:
        values = [side.get(place, "not set") for side in (there, here)]
        if values[0] != values[1]:
            return f"{place} {values[0]} there, {values[1]} here"
    return None


def _flat(plain: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(plain, Mapping):
        for name, inner in plain.items():
            yield from _flat(inner, f"{place}: {name}" if place else str(name))
    else:
        yield place, plain
