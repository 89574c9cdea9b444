"""Intended and refused uses of emorec's networks, as stated by model cards and by the page of `emorec app`."""

INTENDED = (
    "Research and teaching on the recognition of displayed emotions",
    "Trying it on videos of people who know and consent, to see what such a network can and can't do",
    "Pre-sorting collections of acted clips, where a person checks each result",
)
"""Uses for which the network was made."""

USERS = "researchers, students and developers who have read this card; not the people in front of the camera"

REFUSED = (
    ("Work", "hiring, promotion, dismissal, or monitoring employees and applicants"),
    ("Schools and universities", "admission, grades, exams, or monitoring pupils and students"),
    ("Police, courts, prisons, border control, asylum", "suspicion, credibility, lie detection"),
    (
        "Medicine and psychology",
        "diagnosis, therapy, triage, or judging whether someone is in danger",
    ),
    ("Money and contracts", "insurance, credit, housing, prices, or targeted advertising"),
    ("People who do not know or can't refuse", "public places, shops, calls, children"),
    ("Any decision about an individual", "even if a human signs it"),
)
"""Refused uses: where, and what for."""

LAW = (
    "In the European Union, Regulation (EU) 2024/1689 (AI Act), Art. 5(1)(f), prohibits AI systems that infer "
    "emotions of people at work and in education, except for medical or safety reasons. This network was "
    "neither made nor tested for these. Other emotion recognition is high-risk (Annex III, point 1(c)), "
    "and people exposed to it have to be informed (Art. 50(3))"
)
"""The law. Source: https://eur-lex.europa.eu/eli/reg/2024/1689/oj."""

FEELING = (
    "A facial expression is not a feeling: people scowl when they think and smile when they are afraid, and the "
    "expression of feelings differs between people, situations and cultures (Barrett LF et al. 2019, Emotional "
    "Expressions Reconsidered, Psychological Science in the Public Interest 20(1): 1-68). Taking the network's output "
    "for what someone feels reads more into it than it contains"
)
"""Why its output says little about what anyone feels."""

IN_SHORT = (
    "For research and teaching, with the consent of everyone in the video",
    "Not for diagnosis, hiring, proctoring, policing or any decision about a person. "
    "In the EU, inferring emotions at work and in education is prohibited (Regulation (EU) 2024/1689, Art. 5(1)(f))",
)
"""What it is for, and what not, where there is little space."""
