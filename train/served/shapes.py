"""Questions and answers as JSON: what /openapi.json describes, and what is more than one question may ask."""

from typing import Annotated, Generic, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

MOST_TEXTS = 32
MOST_CHARACTERS = 5_000  # of a text
MOST_ANSWERS = 20
Item = TypeVar("Item")


def _not_empty(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty: there is nothing to ask")
    return text


Text = Annotated[str, Field(max_length=MOST_CHARACTERS), AfterValidator(_not_empty)]
Texts = Annotated[list[Text], Field(min_length=1, max_length=MOST_TEXTS)]
Language = Annotated[str, Field(max_length=40, description="as `eng_Latn`")]


class Question(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, max_length=200, description="one of /models; else the first that can be asked this")


class MaskQuestion(Question):
    texts: Texts = Field(description="each with [MASK] where a word is asked for")
    top_k: int = Field(5, ge=1, le=MOST_ANSWERS)


class Pair(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: Text
    second: Text


class ClassifyQuestion(Question):
    texts: Texts | None = None
    pairs: Annotated[list[Pair], Field(min_length=1, max_length=MOST_TEXTS)] | None = None

    @model_validator(mode="after")
    def one_kind(self) -> Self:
        if (self.texts is None) == (self.pairs is None):
            raise ValueError("should have texts or pairs, and not both")
        return self


class TagQuestion(Question):
    texts: Texts


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    question: Text
    context: Text


class AnswerQuestion(Question):
    questions: list[Asked] = Field(min_length=1, max_length=MOST_TEXTS)


class EmbedQuestion(Question):
    texts: Texts


class CandidateText(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: Text
    language: Language | None = None


class NearestQuestion(Question):
    texts: Texts
    candidates: list[CandidateText] | None = Field(
        None, min_length=1, max_length=MOST_TEXTS, description="left out: those of the file given as --vectors"
    )
    k: int = Field(5, ge=1, le=MOST_ANSWERS)
    to_language: Language | None = Field(None, description="only candidates of this language")


class Shown(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Answers(Shown, Generic[Item]):
    """model: whose answers they are. answers: one a text, in order."""

    model: str
    answers: list[Item]


class Word(Shown):
    word: str
    token: int
    probability: float


class Filled(Shown):
    """text: with the model's own mask token. masks: of each the likeliest words, the likeliest first."""

    text: str
    mask_token: str
    masks: list[list[Word]]


class Classified(Shown):
    """probabilities: by label; where `is_score`, {"score": value}, which is no probability."""

    text: str
    second: str | None
    label: str
    probabilities: dict[str, float]
    is_score: bool


class Entity(Shown):
    """begin, end (behind the last): characters of the text as Unicode counts them, not JavaScript."""

    kind: str
    begin: int
    end: int
    text: str
    probability: float


class Tagged(Shown):
    """entities: by place; they do not overlap."""

    text: str
    entities: list[Entity]


class Span(Shown):
    """text: the context from begin to end, counted as in Entity; empty at 0 and 0 where there is no answer."""

    text: str
    begin: int
    end: int
    probability: float


class Answered(Shown):
    question: str
    context: str
    answer: Span


class Embedded(Shown):
    """vector: of `width` numbers."""

    text: str
    vector: list[float]


class Candidate(Shown):
    """row: from 1, in `file`, or among the candidates asked."""

    text: str | None
    language: str | None
    file: str
    row: int


class Neighbour(Shown):
    """similarity: cosine, -1 to 1."""

    candidate: Candidate
    similarity: float


class Neighbours(Shown):
    text: str
    neighbours: list[Neighbour]


class ServedModel(BaseModel):
    """kinds: what it can be asked. longest: tokens of a text at most. labels: of its classes or tags. searches: whether
    the file of vectors is its own."""

    name: str
    architecture: str
    kinds: list[str]
    longest: int
    labels: list[str]
    searches: bool


class Vectors(BaseModel):
    """The file that /nearest looks in. languages: that its rows are in, none where it says none."""

    file: str
    languages: list[str]


class Limits(BaseModel):
    texts: int
    characters: int
    bytes: int


class About(BaseModel):
    models: list[ServedModel]
    vectors: Vectors | None
    limits: Limits


class Error(BaseModel):
    """One line."""

    error: str
