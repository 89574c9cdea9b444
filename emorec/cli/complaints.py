"""What jsonargparse complains of, which takes it many lines and its own types, as one line for people."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Self

_UNION = re.compile(
    r"(?:\n- .*\n- )?Does not validate against any of the Union subtypes\nSubtypes: \[(.*)\]\n"
)

_PLAIN_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    "list": "a list",
    "dict": "a mapping",
    "tuple[int, int]": "two of them such as [60, 100]",
}

MISSING = {
    "data": "no data set: name one with --config FILE or with --data emorec.data.RavdessDataModule",
    "model": "no network: name one with --config FILE or with --model, as in --model emorec.models.CNNLSTM",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What is known of a refused word or setting.

    Attributes:
        key: The setting, such as "data.batch_size"; empty when none is named.
        class_path: The class whose setting it is, if it is a class's.
        causes: What was said about it, the most general first.
        options: The settings that there are, as they stand behind "--".
        classes: Section ("model", "data") -> the classes to choose from, the base class first.
    """

    key: str
    class_path: str
    causes: Sequence[str]
    options: Sequence[str]
    classes: Mapping[str, Sequence[str]]

    @classmethod
    def of(
        cls,
        message: str,
        error: BaseException | None,
        options: Sequence[str],
        classes: Mapping[str, Sequence[str]],
    ) -> Self:
        """The complaint in a message and the chain of errors that led to it."""
        keys, class_path = [], ""
        causes = [str(cause) for cause in chain(error)] or [message]
        for cause in chain(error):
            if isinstance(cause, TypeError) and (
                named := re.match('Parser key "(.*?)"', str(cause))
            ):
                keys.append(named[1])
            if named := re.match("Problem with given class_path '(.*?)'", str(cause)):
                class_path = named[1]
            options = getattr(cause, "options", options)
        return cls(
            key=".".join(keys),
            class_path=class_path,
            causes=causes,
            options=options,
            classes=classes,
        )

    @property
    def section(self) -> str:
        """The first part of the key."""
        return self.key.partition(".")[0]

    @property
    def has_no_class(self) -> bool:
        """Whether a section got settings before anybody said whose they are."""
        return self.class_path in [names[0] for names in self.classes.values()]


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what caused it, and so on."""
    while error is not None:
        yield error
        error = error.__cause__


def explain(complaint: Complaint) -> str:
    """One line that says what is wrong, with the value, and what to do.

    >>> explain(Complaint(key="data.resize", class_path="", options=[], classes={},
    ...         causes=["Expected a typing.Literal['shorter_side', 'squash']. Got value: foo"]))
    'data.resize is foo: choose shorter_side or squash'
    """
    for pattern, said in _KINDS.items():
        if found := re.match(pattern, complaint.causes[-1], re.DOTALL):
            return said(complaint, *found.groups())
    text = " ".join(complaint.causes[-1].split())
    return f"{complaint.key}: {text}" if complaint.key else text


def did_you_mean(word: str, there: Sequence[str], prefix: str = "") -> str:
    """The near one as a question, empty when none is near.

    >>> did_you_mean("batchsize", ["batch_size", "augment"])
    ', did you mean batch_size?'
    """
    near = get_close_matches(word, there, n=1)
    return f", did you mean {prefix}{near[0]}?" if near else ""


def which_network(command: str) -> str:
    """What a command says that was given no checkpoint."""
    return f"which network? emorec {command} --ckpt FILE, as in --ckpt lightning_logs/.../best.ckpt"


def one_of(choices: Sequence[str]) -> str:
    """A list as people write it.

    >>> one_of(["seed", "msaf6", "loso"])
    'seed, msaf6 or loso'
    """
    *most, last = choices
    return f"{', '.join(most)} or {last}" if most else last


def _unknown_setting(complaint: Complaint, name: str) -> str:
    key = f"{complaint.key}.{name}".lstrip(".")
    if complaint.has_no_class:
        return f"{key}: {MISSING[complaint.section]}"
    owner = f"{complaint.class_path} has" if complaint.class_path else "there is"
    near = did_you_mean(name, complaint.options, prefix=key.removesuffix(name))
    return f"{key}: {owner} no such option{near}"


def _unknown_words(complaint: Complaint, words: str) -> str:
    word = re.split(r"[\s=]", words, maxsplit=1)[0]
    if not word.startswith("-"):
        return f"{word}: there is no option before it, and options start with --"
    near = did_you_mean(word.removeprefix("--"), complaint.options, prefix="--")
    return f"{word}: there is no such option{near}"


def _incomplete(complaint: Complaint, names: str) -> str:
    command = names.partition(".")[0]
    if command in ("validate", "test", "predict"):
        return which_network(command)
    missing = [name.split(".", 1)[-1] for name in names.split(", ")]
    if {"data", "model"} <= set(missing):
        return "no configuration: emorec fit --config FILE --data.root DIR, as in --config configs/cnn_lstm.yaml"
    owner = f" of {complaint.class_path}" if complaint.class_path else ""
    return MISSING.get(missing[0]) or f"missing: {', '.join(missing)}{owner}"


def _no_value(complaint: Complaint, option: str) -> str:
    section = option.removeprefix("--") in complaint.classes
    return f"a value is missing after {option}" + (f" or {option}.something" if section else "")


def _abstract(complaint: Complaint, class_path: str) -> str:
    return f"{class_path} is no complete class: {one_of(complaint.classes[complaint.section][1:])}"


def _unknown_class(complaint: Complaint, why: str) -> str:
    given = complaint.class_path or why
    if given.endswith((".yaml", ".yml", ".json")) or "/" in given:
        return f"{complaint.key}: no such file: {given}"
    there = complaint.classes.get(complaint.section, ())[1:]
    names = {name.rpartition(".")[2]: name for name in there}
    wanted = given.rpartition(".")[2]
    near = get_close_matches(wanted, names, n=1) or [name for name in names if wanted in name]
    if near and given.startswith((wanted, "emorec.")):
        return f"{complaint.key}: no class {given}, did you mean {names[near[0]]}?"
    because = f" ({why})" if why != given else ""
    shipped = f"; there are {', '.join(there)}" if there else ""
    return f"{complaint.key}: no class {given}{because}{shipped}"


def _other_class(complaint: Complaint, given: str, base: str) -> str:
    there = complaint.classes.get(complaint.section, ())[1:]
    shipped = f"; choose {one_of(there)}" if there else ""
    return f"{complaint.key}: {given} is no {base}{shipped}"


def _other_value(complaint: Complaint, wanted: str, value: str) -> str:
    union = _UNION.match(complaint.causes[-2]) if len(complaint.causes) > 1 else None
    choices, kinds = _choices(union[1] if union else wanted)
    if choices:
        return f"{complaint.key} is {value}: choose {one_of(choices + kinds)}"
    return f"{complaint.key} is {value}: it takes {one_of(kinds)}"


def _choices(types: str) -> tuple[list[str], list[str]]:
    """The values and the kinds of values that a list of types admits.

    >>> _choices("<class 'bool'>, typing.Literal['per_frame']")
    (['per_frame', 'true', 'false'], [])
    >>> _choices("<class 'int'>, <class 'NoneType'>")
    ([], ['a whole number', 'null'])
    """
    choices = [
        choice.strip(" '\"")
        for inside in re.findall(r"Literal\[(.*?)\]", types)
        for choice in inside.split(",")
    ]
    rest = re.sub(r"(typing\.)?Literal\[.*?\](, )?", "", types)
    names = [
        re.sub(r"<class '([^']*)'>", r"\1", name)
        for name in re.split(r", (?![^\[]*\])", rest)
        if name
    ]
    names = [re.sub(r"[\w.]+\.(\w+)", r"\1", name) for name in names]
    kinds = [_PLAIN_TYPES.get(name, name) for name in names if name != "NoneType"]
    if choices and "bool" in names:
        choices += ["true", "false"]
        kinds.remove(_PLAIN_TYPES["bool"])
    return list(dict.fromkeys(choices)), kinds + ["null"] * ("NoneType" in names)


_KINDS: Mapping[str, Callable[..., str]] = {
    r"Option '(.+)' is not accepted": _unknown_setting,
    r"Subcommand '\w+' does not accept option '(.+)'": _unknown_setting,
    r"unrecognized arguments: (.+)": _unknown_words,
    r"the following arguments are required: (.+)": _incomplete,
    r"argument (\S+): expected one argument": _no_value,
    r"Expected an instantiatable class, but (.+) is abstract": _abstract,
    r"Expected a dot import path string: (.+)": _unknown_class,
    r"Unexpected import path format: (.+)": _unknown_class,
    r"(module '.+' has no attribute '.+')": _unknown_class,
    r"(No module named '.+')": _unknown_class,
    r"Import path (.+) does not correspond to a subclass of (.+)": _other_class,
    r"Expected a (.+)\. Got value: (.*)": _other_value,
}
"""How jsonargparse's last word on a matter starts, and what is made of it."""
