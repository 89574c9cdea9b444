"""Datasheets of the supported data sets: people, recording, labels, licence and citation, for model cards.

Numbers of people and recordings are those of the cited papers; the clips that a run used are in its checkpoint.

Source of the idea: Gebru et al. 2021, Datasheets for Datasets, Communications of the ACM 64(12):86-92.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Datasheet:
    """A data set in a few sentences.

    Attributes:
        name: Name of the data set.
        people: The people in it.
        made: How it was recorded and labelled.
        meaning: What a label stands for, as the end of the sentence "What the network names is ...".
        licence: Conditions for those who use a network trained on it.
        citation: The paper; empty without one.
        in_short: Who does what in it, where there is little space; empty where unknown.
        licence_id: The licence of networks trained on it, by its name on the Hugging Face Hub.
        licence_link: The text of a licence that the Hub has no name for.
        dataset_id: Name of the data set in lists of the Hub; empty for one that others can't get.
    """

    name: str
    people: str
    made: str
    meaning: str
    licence: str
    citation: str = ""
    in_short: str = ""
    licence_id: str = "unknown"
    licence_link: str = ""
    dataset_id: str = ""


UNKNOWN_LICENCE = "that of the data it was trained on"

SHEETS = {
    "emorec.data.RavdessDataModule": Datasheet(
        name="RAVDESS",
        people="24 professional actors, 12 women and 12 men, who speak English with a neutral North American accent",
        made="Each actor speaks (or sings) two sentences in each emotion on request, at two intensities and twice, "
        "in a studio, alone, facing the camera, before a plain background. The label is the emotion that was asked for",
        meaning="the emotion that an actor was asked to show, not one that anybody felt",
        licence="RAVDESS is under CC BY-NC-SA 4.0: no commercial use of what was trained on it",
        citation="Livingstone SR, Russo FA (2018), The Ryerson Audio-Visual Database of Emotional Speech and Song, "
        "PLOS ONE 13(5): e0196391, https://doi.org/10.1371/journal.pone.0196391",
        in_short="actors who speak two sentences in North American English, in a studio",
        licence_id="cc-by-nc-sa-4.0",
        dataset_id="ravdess",
    ),
    "emorec.data.IemocapDataModule": Datasheet(
        name="IEMOCAP",
        people="Ten actors, five women and five men, in five sessions of two, who speak English",
        made="Pairs play scripted and improvised scenes; an utterance has the emotion that most annotators named",
        meaning="the emotion that most annotators saw in an actor's utterance, not one that anybody felt",
        licence="IEMOCAP's release form allows research only",
        citation="Busso C et al. (2008), IEMOCAP: interactive emotional dyadic motion capture database, "
        "Language Resources and Evaluation 42(4): 335-359",
        in_short="actors who play scenes in English",
        licence_id="iemocap-release-form",
        licence_link="https://sail.usc.edu/iemocap/iemocap_release.htm",
        dataset_id="iemocap",
    ),
    "emorec.data.AffWild2DataModule": Datasheet(
        name="Aff-Wild2",
        people="People in films found on the web; nobody asked them who they are",
        made="Annotators who watch the films say, frame by frame, how a face looks to them",
        meaning="how a face looked to annotators, not what the person felt",
        licence="Aff-Wild2's agreement allows non-commercial research only",
        citation="Kollias D, Zafeiriou S (2019), Expression, Affect, Action Unit Recognition: Aff-Wild2, "
        "Multi-Task Learning and ArcFace, arXiv 1910.04855",
        in_short="people in films found on the web",
        licence_id="aff-wild2-agreement",
        licence_link="https://ibug.doc.ic.ac.uk/resources/aff-wild2/",
        dataset_id="aff-wild2",
    ),
    "emorec.data.HACERDataModule": Datasheet(
        name="HACER",
        people="emorec has no published account of who they are",
        made="emorec has no published account of how it was recorded and labelled",
        meaning="the emotion in the data set's own table, not what the person felt",
        licence=UNKNOWN_LICENCE,
        dataset_id="hacer",
    ),
}
"""Datasheets by the class path of the data module.

Source: the papers named in each; Zenodo record 1188976 (RAVDESS's licence).
"""

UNKNOWN_SHEET = Datasheet(
    name="a data set of its owner's",
    people="Not known to emorec: ask whoever made the data",
    made="Not known to emorec: ask whoever made the data",
    meaning="the label that somebody gave the clip, not what the person felt",
    licence=UNKNOWN_LICENCE,
)


DRAWN_SHEET = Datasheet(
    name="faces drawn by emorec synth",
    people="None: each actor is a drawn face with colours and proportions of its own",
    made="A program draws and voices each emotion by a rule. The label is the rule",
    meaning="the rule by which a face was drawn, which says nothing about the face of anybody real",
    licence="Apache-2.0, as emorec",
    licence_id="apache-2.0",
)

DRAWN_WARNING = "warning: this network was trained on drawn faces: what it predicts of anybody real means nothing"
"""Line of commands that use such a network on a video."""


def datasheet(class_path: str, split: Mapping[str, Any] | None = None) -> Datasheet:
    """Return the datasheet of the data set that a data module reads; `UNKNOWN_SHEET` for a user's own data.

    Args:
        class_path: Of the data module.
        split: The record of the split, which says whether the clips were drawn.

    >>> datasheet("emorec.data.RavdessDataModule").name, datasheet("emorec.data.CSVDataModule").name
    ('RAVDESS', "a data set of its owner's")
    """
    if split and split.get("drawn"):
        return DRAWN_SHEET
    return SHEETS.get(class_path, UNKNOWN_SHEET)
