"""The prefilter over binary documents leaves out no row that the condition takes, and none that decoded ones keep."""

from __future__ import annotations

from typing import Any

from helpers.ion_strategies import scalars, texts, values
from hypothesis import given, settings
from hypothesis import strategies as st

from qldb_emulator.ion.codec import dumps, loads_document
from qldb_emulator.ion.values import Annotated, Symbol, struct_of
from qldb_emulator.partiql.execution.prefilter import COMPARISONS, certain_match, containing, prefilter_of
from qldb_emulator.partiql.language import semantics
from qldb_emulator.partiql.language.errors import PartiqlError
from qldb_emulator.partiql.planning.data import JoinedDocuments, Row
from qldb_emulator.partiql.planning.plan import PARAMETERS_SLOT, Slot
from qldb_emulator.partiql.syntax import ast

NAMES = st.sampled_from(["c", "C", "name", "Name", "é", "É", "d"])
CONSTANTS = st.one_of(
    st.sampled_from(["", "c", "name", "$ion", "blue", "red", "x" * 20]), st.integers(-3, 3), st.integers(), texts
)
# Values near the constants, in every disguise, and any others.
FIELDS = st.one_of(
    CONSTANTS,
    CONSTANTS.map(lambda value: Symbol(value) if isinstance(value, str) else float(value % 1000)),
    CONSTANTS.map(lambda value: Annotated(["a"], value)),
    scalars(),
    values(),
)
STRUCTS = st.lists(st.tuples(NAMES, FIELDS), max_size=5).map(struct_of)
DOCUMENTS = st.one_of(STRUCTS, STRUCTS.map(lambda struct: Annotated(["whole"], struct)))
TERMS = st.tuples(st.sampled_from(sorted(COMPARISONS)), NAMES, CONSTANTS)


def condition(terms: list[tuple[str, str, Any]], is_whole: bool) -> ast.Expr:
    """Return the terms, and behind them one that is true, unless they are to be the whole."""
    parts: list[ast.Expr] = [
        ast.Binary(operator, ast.Path(Slot(2, "t"), (ast.FieldStep(name, False),)), ast.Parameter(index))
        for index, (operator, name, _) in enumerate(terms)
    ]
    if not is_whole:
        parts.append(ast.Literal(True))
    return parts[0] if len(parts) == 1 else ast.Chain("AND", tuple(parts))


def frame_of(terms: list[tuple[str, str, Any]]) -> list[Any]:
    """Return the frame of an execution with the terms' constants as its parameters."""
    frame: list[Any] = [None] * 3
    frame[PARAMETERS_SLOT] = [wanted for _, _, wanted in terms]
    return frame


def truths(document: Any, terms: list[tuple[str, str, Any]]) -> list[Any]:
    """The truth of each term; "error" for one that fails, and for those behind it."""
    found: list[Any] = []
    for operator, name, wanted in terms:
        try:
            found.append(semantics.BINARY[operator](semantics.field_any_case(document, name), wanted))
        except PartiqlError as error:
            if error.generated.startswith("Binding name"):
                return [False]  # several fields differ from the name only in case: the row may be left out
            return [*found, *["error"] * (len(terms) - len(found))]
    return found


@settings(deadline=None, max_examples=400)
@given(st.lists(DOCUMENTS, max_size=6), st.lists(TERMS, min_size=1, max_size=2), st.booleans())
def test_the_prefilter_of_binary_agrees_with_the_decoded_one(
    documents: list[Any], terms: list[tuple[str, str, Any]], is_whole: bool
) -> None:
    bind = prefilter_of(condition(terms, is_whole), 2)
    assert bind is not None
    prefilter = bind(frame_of(terms))
    if prefilter is None:  # an order against text
        return
    binary = [dumps(document) for document in documents]
    stored = [loads_document(data) for data in binary]
    positions = set(prefilter.positions(binary))
    assert set(prefilter.positions(JoinedDocuments(binary))) == positions
    rows = [Row(str(position), value) for position, value in enumerate(stored)]
    decoded = {int(row.document_id) for _, passing in prefilter.batches(iter(rows)) for row in passing}
    for position, document in enumerate(stored):
        found = truths(document, terms)
        if "error" in found and False not in found:
            may_be_left_out = False
        elif is_whole:
            may_be_left_out = any(truth is not True for truth in found)
        else:
            may_be_left_out = any(truth is False for truth in found)
        assert position in positions or may_be_left_out
        assert position in decoded or may_be_left_out
    if not is_whole and all(isinstance(document, dict) for document in stored):
        assert positions <= decoded


@settings(deadline=None, max_examples=400)
@given(st.lists(DOCUMENTS, max_size=6), st.lists(TERMS, min_size=1, max_size=2))
def test_what_certainly_matches_matches(documents: list[Any], terms: list[tuple[str, str, Any]]) -> None:
    tell = certain_match(condition(terms, True), 2)
    assert tell is not None
    sure = tell(frame_of(terms))
    if sure is None:  # an order against text
        return
    for document in documents:
        are_true = all(truth is True for truth in truths(document, terms))
        same_kind = isinstance(document, dict) and all(type(document.get(name)) is type(c) for _, name, c in terms)
        assert sure(dumps(document)) == (are_true and same_kind)


def test_a_condition_of_other_terms_is_never_certain() -> None:
    assert certain_match(condition([("=", "c", 1)], is_whole=False), 2) is None
    assert certain_match(condition([("=", "c", 1)], is_whole=True), 3) is None


OCTETS = st.text(alphabet="ab", max_size=6).map(str.encode)


@given(st.lists(OCTETS, max_size=12), OCTETS.filter(bool), st.sampled_from([b"", b"c" * 1_100_000]))
def test_octets_are_found_in_the_documents_that_have_them(documents: list[bytes], octets: bytes, long: bytes) -> None:
    """Not across the end of a document; many long documents are searched one by one."""
    searched = [*documents, long]
    expected = [n for n, document in enumerate(searched) if octets in document]
    assert containing(searched, octets) == expected
    assert containing(JoinedDocuments(searched), octets) == expected
