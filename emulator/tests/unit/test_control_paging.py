"""Page tokens are opaque, and valid only for the request that they continue."""

from __future__ import annotations

import base64

import pytest
from helpers.wire_support import refusal
from hypothesis import given
from hypothesis import strategies as st

from qldb_emulator.engine.control.paging import decode_token, encode_token, paginate
from qldb_emulator.errors import QldbError
from qldb_emulator.wire.model import load_service

REFUSED = ("InvalidParameterException", "The parameter NextToken is not valid", {"ParameterName": "NextToken"})
ITEMS = [(number * 10, f"ledger-{number}") for number in range(7)]
TOKEN_SHAPE = load_service("qldb").shapes["NextToken"]


def _key(item):
    return item


def _all_pages(items, size, operation="ListLedgers", **parameters):
    pages, token = [], None
    for _ in range(len(items) + 1):
        members = {"MaxResults": size, **parameters, **({"NextToken": token} if token else {})}
        page, token = paginate(operation, members, items, _key)
        pages.append(page)
        if token is None:
            return pages
    raise AssertionError("the pages do not end")


@given(st.lists(st.tuples(st.integers(0, 2**53), st.text(min_size=1, max_size=32)), unique=True), st.integers(1, 100))
def test_pages_put_together_are_the_list_and_only_the_last_may_be_short(items, size):
    items = sorted(items)
    pages = _all_pages(items, size)
    assert items == [item for page in pages for item in page]
    assert all(len(page) == size for page in pages[:-1])
    assert len(pages[-1]) > 0 or items == []


@given(st.integers(0, 2**53), st.from_regex(r"[A-Za-z0-9-]{1,32}", fullmatch=True))
def test_a_token_satisfies_the_constraints_of_its_shape(number, name):
    token = encode_token((number, name), "ListLedgers", {}, "us-east-1")
    assert TOKEN_SHAPE.minimum <= len(token) <= TOKEN_SHAPE.maximum
    assert TOKEN_SHAPE.pattern.fullmatch(token)
    assert (number, name) == decode_token(token, "ListLedgers", {}, "us-east-1")


def test_the_size_of_a_page_may_change_between_pages():
    _, token = paginate("ListLedgers", {"MaxResults": 2}, ITEMS, _key)
    page, token = paginate("ListLedgers", {"MaxResults": 5, "NextToken": token}, ITEMS, _key)
    assert (ITEMS[2:], None) == (page, token)


def test_an_item_that_went_away_neither_hides_nor_repeats_others():
    page, token = paginate("ListLedgers", {"MaxResults": 3}, ITEMS, _key)
    left = [item for item in ITEMS if item != page[-1]]
    rest, _ = paginate("ListLedgers", {"NextToken": token}, left, _key)
    assert ITEMS[3:] == rest


def test_without_a_size_a_page_has_at_most_100_items():
    items = [(number, "") for number in range(101)]
    page, token = paginate("ListLedgers", {}, items, _key)
    assert (len(page), token is None) == (100, False)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("abcd", id="made up"),
        pytest.param("abc", id="no base64"),
        pytest.param("éééé", id="not ASCII"),
        pytest.param(base64.b64encode(b"x" * 9 + b"[1]").decode(), id="no binding"),
        pytest.param(base64.b64encode(b"x" * 9 + b"[" * 5000).decode(), id="deep"),
        pytest.param(encode_token((1, "a"), "ListJournalS3Exports", {}, "us-east-1"), id="another operation"),
        pytest.param(encode_token((1, "a"), "ListLedgers", {"Name": "x"}, "us-east-1"), id="other parameters"),
        pytest.param(encode_token((1, "a"), "ListLedgers", {}, "eu-west-1"), id="another region"),
    ],
)
def test_a_foreign_token_is_refused(token):
    with pytest.raises(QldbError) as raised:
        paginate("ListLedgers", {"NextToken": token}, ITEMS, _key, "us-east-1")
    assert refusal(raised.value) == REFUSED


def test_a_token_whose_key_does_not_compare_is_refused():
    token = encode_token(("text", 1), "ListLedgers", {})
    with pytest.raises(QldbError) as raised:
        paginate("ListLedgers", {"NextToken": token}, ITEMS, _key)
    assert refusal(raised.value) == REFUSED
