"""The errors of the language: their categories, their codes, and how their text is put together.

Which text belongs to which mistake stands beside the code that finds the mistake (``parser``: ``SYNTAX_ERRORS``).
"""

from __future__ import annotations

from typing import Literal

from ...errors import Source
from ...records import dataclass
from ..syntax.ast import Pos

Category = Literal["Lexer", "Parser", "Semantic", "Evaluator"]


@dataclass(frozen=True, slots=True)
class Code:
    """The value of the exception's member ``Code`` for a category, and how it is known."""

    value: str
    source: Source
    evidence: str


CODES: dict[Category, Code] = {
    "Lexer": Code("400", "inferred", "partiql.md 9 Q13: a placeholder in the 400s"),
    "Parser": Code("400", "inferred", "partiql.md 9 Q13: a placeholder in the 400s"),
    "Semantic": Code("432", "recorded", "driver-go statement_execution_test"),
    "Evaluator": Code("400", "inferred", "partiql.md 9 Q13: a placeholder in the 400s"),
}


class PartiqlError(Exception):
    """A statement that cannot be read, understood or evaluated.

    category: "Lexer", "Parser", "Semantic" or "Evaluator".
    pos: of the token at fault.
    generated: what kind of mistake, with the token in it.  thrown: the second sentence, None when there is none.
    is_whole: the text on the wire is ``generated`` alone, without category and place.
    code: the value of the exception's member ``Code``; taken from :data:`CODES` when not given.

    ``str()`` is the text on the wire (partiql.md 7: confirmed by every recorded sample).
    """

    def __init__(
        self,
        category: Category,
        pos: Pos,
        generated: str,
        thrown: str | None = None,
        code: str | None = None,
        is_whole: bool = False,
    ) -> None:
        super().__init__(category, pos, generated, thrown)
        self.is_whole = is_whole
        self.category: Category = category
        self.pos = pos
        self.generated = generated
        self.thrown = thrown
        self.code = CODES[category].value if code is None else code

    def __str__(self) -> str:
        if self.is_whole:
            return self.generated
        text = f"{self.category} Error: at line {self.pos.line}, column {self.pos.column}: {self.generated}"
        return text if self.thrown is None else f"{text}; {self.thrown}"
