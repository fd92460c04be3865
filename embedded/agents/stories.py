"""Stories about any subject. The same subject gives the same story, another one another."""

import random

LONG_WORDS = 400  # at least

OPENINGS = [
    "People tend to notice {s} only when something about {them} changes, and by then the interesting part is over.",
    "Ask ten people about {s} and you get eleven answers, most of them told with great confidence.",
    "There is a drawer in every town hall that holds papers about {s}, and nobody remembers who began it.",
    "The first thing a child learns about {s} is wrong, and it takes years of patience to put it right.",
    "On a slow afternoon {s} can look like the simplest matter in the world.",
    "Somebody once counted how often {s} came up in a year of letters, and stopped at four thousand.",
]
BEGINNINGS = [
    "It began without a plan. A handful of neighbours met in a kitchen, spread a map over the table, and agreed "
    "that {s} deserved more care than anybody had given so far.",
    "The early years are badly recorded. What survives is a ledger with a torn cover, in which somebody noted "
    "costs, weather, and once, in the margin, a single line about {s}: *worth the trouble*.",
    "At first there was only an argument. Two sisters disagreed about {s} for most of a winter, and the whole "
    "street took sides before anybody thought of simply trying it out.",
    "An engineer named Marta Weiss is usually given the credit, though she herself always said that {s} had "
    "been there all along and that she had merely looked twice.",
]
MIDDLES = [
    "What changed everything was patience. Instead of one large effort there were forty small ones, each of them "
    "cheap enough to fail and honest enough to be written down.",
    "Money was short, so they borrowed: a boat from the fishermen, a room from the school, and from the "
    "clockmaker an exact idea of what *finished* means.",
    "The critics were not stupid. They had seen fashions come and go, and they wanted to know who would still "
    "care in the eleventh year, when the paint had gone dull and the speeches were forgotten.",
    "By the second summer visitors came. They asked sensible questions, took the wrong photographs, and went "
    "home with the feeling that their own town could do something similar, only smaller.",
    "Not all of it worked. One attempt had to be taken apart again over a long weekend, and the lesson from it "
    "was painted on a board that still hangs beside the door.",
    "A teacher brought her class every Thursday. Those children are grown up now, and three of them work with "
    "{s} for a living, which none of their parents would have predicted.",
]
OBSERVATIONS = [
    "**Scale** matters less than rhythm: a little every week beats a great deal once.",
    "**Names** help. What has a name gets repaired, and what has none gets replaced.",
    "**Strangers** see the fault at once; friends have long stopped looking.",
    "**Weather** is a colleague who never reads the plan.",
    "**Records** are kept for the person who comes after you, and that person is usually you.",
    "**Silence** after a change is not agreement; go and ask.",
    "**Tools** should be put back by whoever took them, at once, without discussion.",
    "**Doubt** is cheap on Monday and expensive on Friday.",
]
STEPS = [
    "Look at {s} for a whole day without touching anything.",
    "Write down what you expected and what you saw, side by side.",
    "Change one thing, the smallest that could make a difference.",
    "Tell one person who disagrees with you, and listen.",
    "Wait a week, then look again at the same hour.",
    "Keep what helped, undo the rest, and thank whoever carried the ladder.",
]
PLACES = ["Lisbon", "Tartu", "Valparaíso", "Sapporo", "Mombasa", "Halifax", "Ghent", "Cusco", "Trieste", "Hobart"]
REMARKS = ["steady", "slow at first", "contested", "better than hoped", "still open", "quietly successful", "odd"]
ENDINGS = [
    "So the story of {s} has no proper end. It has only people who take over from one another, some of them "
    "grudgingly, and a key that is handed on each spring.",
    "Perhaps that is all there is to say about {s}: look closely, do a little, and leave the place so that the "
    "next one finds the light switch.",
    'When Marta was asked, much later, what {s} had taught her, she thought about it for a while. "To bring '
    'a coat," she said, and went back to work.',
]
NUMBERS_INTRO = [
    "A few figures, gathered by hand and rounded without shame:",
    "For those who like columns, here is what three places reported:",
    "The numbers are modest, which is why one may believe them:",
]
CODE_INTRO = [
    "One of the volunteers kept her notes as a small program, and it is short enough to show here:",
    "The rule by which they decided fits into a few lines:",
]


def long_story(subject: str) -> str:
    """Some hundreds of words with headings, a list, a table and code."""
    chance = random.Random(subject.casefold())  # noqa: S311 - variety, not secrecy
    middles = chance.sample(MIDDLES, 4)
    sections = [
        f"# {title(subject)}",
        chance.choice(OPENINGS),
        "## How it began",
        chance.choice(BEGINNINGS),
        middles[0],
        "## What was learned",
        middles[1],
        "\n".join(f"- {line}" for line in chance.sample(OBSERVATIONS, 4)),
        "## In numbers",
        chance.choice(NUMBERS_INTRO),
        table(chance),
        middles[2],
        "## A way to try it",
        "\n".join(f"{number}. {step}" for number, step in enumerate(STEPS, 1)),
        chance.choice(CODE_INTRO),
        code(subject, chance),
        "## What remains",
        middles[3],
        chance.choice(ENDINGS),
    ]
    return "\n\n".join(filled(section, subject) for section in sections) + "\n"


def short_story(subject: str) -> str:
    """About sixty words."""
    chance = random.Random(subject.casefold())  # noqa: S311 - variety, not secrecy
    sections = [f"## {title(subject)}", chance.choice(OPENINGS), chance.choice(ENDINGS)]
    return "\n\n".join(filled(section, subject) for section in sections) + "\n"


def filled(text: str, subject: str) -> str:
    return text.replace("{s}", subject).replace("{them}", "the matter")


def title(subject: str) -> str:
    return f"About {subject}"


def table(chance: random.Random) -> str:
    rows = [
        f"| {place} | {chance.randint(1890, 2019)} | {chance.randint(3, 240)} | {chance.choice(REMARKS)} |"
        for place in chance.sample(PLACES, 3)
    ]
    return "\n".join(["| Place | Since | People | So far |", "| --- | ---: | ---: | --- |", *rows])


def code(subject: str, chance: random.Random) -> str:
    enough = chance.randint(2, 9)
    return "\n".join(
        [
            "```python",
            f"subject = {subject!r}",
            f"days_without_trouble = {chance.randint(1, 14)}",
            "",
            f"if days_without_trouble >= {enough}:",
            '    print("leave", subject, "as it is")',
            "else:",
            '    print("look again tomorrow")',
            "```",
        ]
    )
