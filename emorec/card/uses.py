"""What a network of emorec is for and what it is not for, in the words of the card and of the page to try it."""

INTENDED = (
    "Research on how emotions that are shown can be recognised, and teaching it",
    "Trying it on videos of people who know of it and agree, to see what such a network can and can't do",
    "Sorting collections of acted clips beforehand, where a person looks at each result",
)
"""Uses that the network was made for."""

USERS = "Researchers, students and developers who have read this card; not the people in front of the camera"

REFUSED = (
    ("Work", "hiring, promotion, dismissal, or watching employees and applicants"),
    ("Schools and universities", "admission, marks, exams, or watching pupils and students"),
    ("Police, courts, prisons, border control, asylum", "suspicion, credibility, lie detection"),
    (
        "Medicine and psychology",
        "diagnosis, therapy, triage, or judging whether somebody is in danger",
    ),
    ("Money and contracts", "insurance, credit, housing, prices, or what is advertised to whom"),
    ("People who do not know or can't refuse", "public places, shops, calls, children"),
    ("Any decision about one person", "also one that a human signs"),
)
"""Uses that are refused: where, and what for."""

LAW = (
    "In the European Union, Regulation (EU) 2024/1689 (AI Act), Art. 5(1)(f), prohibits AI systems that infer"
    " the emotions of people at work and in education, but for medical or safety reasons. This network was "
    "neither made nor tested for these. Other recognition of emotions is high-risk (Annex III, point 1(c)), "
    "and people who are exposed to it have to be told (Art. 50(3))"
)
"""What the law says. Source: https://eur-lex.europa.eu/eli/reg/2024/1689/oj."""

FEELING = (
    "A face is not a feeling: people scowl when they think and smile when they are afraid, and how feelings "
    "show differs between people, situations and cultures (Barrett LF et al. 2019, Emotional Expressions "
    "Reconsidered, Psychological Science in the Public Interest 20(1): 1-68). Whoever reads the network's "
    "words as what somebody feels reads more than is in them"
)
"""Why its words say little of what anybody feels."""

IN_SHORT = (
    "Not for decisions about people: not at work, in schools, by the police, at borders or in medicine. "
    "In the EU, inferring emotions at work and in education is prohibited (Regulation (EU) 2024/1689, Art. 5(1)(f))."
)
"""The same where there is little room."""
