"""boto3 proves what pyqldb wrote, with a verifier that shares no code with the server."""

from __future__ import annotations

import random

import pytest
from amazon.ion.simpleion import dumps, loads
from verifier import block_hash, digest_bytes, fold, ion_hash, revision_hash


def run(driver, statement, *parameters):
    return driver.execute_lambda(lambda t: list(t.execute_statement(statement, *parameters)))


def ion_text(value) -> dict[str, str]:
    return {"IonText": dumps(value, binary=False, omit_version_marker=True)}


@pytest.fixture
def written(driver):
    """A table with seven documents, some of them changed: blocks of one and of several revisions."""
    run(driver, "CREATE TABLE Car")
    run(driver, "INSERT INTO Car <<?, ?, ?>>", {"n": 0}, {"n": 1}, {"n": 2})
    for n in range(3, 7):
        run(
            driver,
            "INSERT INTO Car ?",
            {"n": n, "when": loads("2020-02-29T12:00:00.120+05:30"), "price": loads("1.50")},
        )
    run(driver, "UPDATE Car SET owner = 'Maria' WHERE n < 5")
    return run(driver, "SELECT * FROM _ql_committed_Car") + run(
        driver, "SELECT * FROM history(Car) AS h WHERE h.metadata.version = 0"
    )


def test_every_revision_is_proved_up_to_the_digest(qldb, ledger, written):
    digest = qldb.get_digest(Name=ledger)
    for row in written:
        answer = qldb.get_revision(
            Name=ledger,
            BlockAddress=ion_text(row["blockAddress"]),
            DocumentId=row["metadata"]["id"],
            DigestTipAddress=digest["DigestTipAddress"],
        )
        leaf = revision_hash(answer["Revision"]["IonText"])
        assert leaf == bytes(row["hash"])
        assert fold(leaf, answer["Proof"]["IonText"]) == digest_bytes(digest["Digest"])


def test_every_block_is_proved_and_chained(qldb, ledger, written):
    digest = qldb.get_digest(Name=ledger)
    tip = loads(digest["DigestTipAddress"]["IonText"])
    previous = b""
    for sequence_no in range(tip["sequenceNo"] + 1):
        address = {"strandId": tip["strandId"], "sequenceNo": sequence_no}
        answer = qldb.get_block(
            Name=ledger, BlockAddress=ion_text(address), DigestTipAddress=digest["DigestTipAddress"]
        )
        block = loads(answer["Block"]["IonText"])
        assert bytes(block["previousBlockHash"]) == previous
        previous = block_hash(answer["Block"]["IonText"])
        assert previous == bytes(block["blockHash"])
        assert fold(previous, answer["Proof"]["IonText"]) == digest_bytes(digest["Digest"])


def test_an_old_digest_still_proves_after_more_writes(qldb, ledger, driver, written):
    digest = qldb.get_digest(Name=ledger)
    for n in range(5):
        run(driver, "INSERT INTO Car ?", {"n": 100 + n})
    row = written[0]
    answer = qldb.get_revision(
        Name=ledger,
        BlockAddress=ion_text(row["blockAddress"]),
        DocumentId=row["metadata"]["id"],
        DigestTipAddress=digest["DigestTipAddress"],
    )
    assert fold(bytes(row["hash"]), answer["Proof"]["IonText"]) == digest_bytes(digest["Digest"])


def test_any_changed_byte_fails(qldb, ledger, written):
    digest = qldb.get_digest(Name=ledger)
    row = next(row for row in written if "owner" in row["data"])
    answer = qldb.get_revision(
        Name=ledger,
        BlockAddress=ion_text(row["blockAddress"]),
        DocumentId=row["metadata"]["id"],
        DigestTipAddress=digest["DigestTipAddress"],
    )
    revision = loads(answer["Revision"]["IonText"])
    good = revision_hash(answer["Revision"]["IonText"])
    revision["data"]["owner"] = "Mario"
    assert revision_hash(dumps(revision, binary=False)) != good
    proof = [bytes(item) for item in loads(answer["Proof"]["IonText"])]
    picks = random.Random(7)
    for index, item in enumerate(proof):
        broken = bytearray(item)
        broken[picks.randrange(32)] ^= 1 << picks.randrange(8)
        changed = [*proof[:index], bytes(broken), *proof[index + 1 :]]
        assert fold(good, dumps(changed, binary=False)) != digest_bytes(digest["Digest"])


def test_no_proof_without_a_tip(qldb, ledger, written):
    answer = qldb.get_block(Name=ledger, BlockAddress=ion_text(written[0]["blockAddress"]))
    assert "Proof" not in answer


def test_the_hash_of_transaction_info_is_the_official_librarys(qldb, ledger, written):
    block = loads(qldb.get_block(Name=ledger, BlockAddress=ion_text(written[0]["blockAddress"]))["Block"]["IonText"])
    assert ion_hash(block["transactionInfo"]) in [bytes(entry) for entry in block["entriesHashList"]]


FOREIGN = '{strandId:"KmA3ZZca7vAIiJAK9S5Iwl",sequenceNo:0}'


@pytest.mark.parametrize(
    ("address", "tip", "message"),
    [
        ("{strandId:", None, "The provided Ion value is not valid and cannot be parsed."),
        ("{a:1}", None, "The provided block address is not valid."),
        (FOREIGN, None, "The Strand ID of the provided block address is not valid."),
        (
            "own 99",
            None,
            "The sequence number of the provided block address is beyond the strand's latest committed record.",
        ),
        (
            "own 1",
            "own 99",
            "The sequence number of the provided digest tip address is beyond the strand's latest committed record.",
        ),
        (
            "own 2",
            "own 1",
            "The sequence number of the provided block address must not be greater than the sequence "
            "number of the provided digest tip address.",
        ),
        (
            FOREIGN,
            "own 1",
            "The Strand ID of the provided block address must match the Strand ID of the provided digest tip address.",
        ),
    ],
    ids=["not Ion", "no address", "foreign strand", "block beyond", "tip beyond", "block after tip", "strands differ"],
)
def test_a_wrong_address_gets_the_documented_error(qldb, ledger, written, address, tip, message):
    own = loads(qldb.get_digest(Name=ledger)["DigestTipAddress"]["IonText"])["strandId"]

    def resolve(text: str) -> dict[str, str]:
        if text.startswith("own "):
            return {"IonText": f'{{strandId:"{own}",sequenceNo:{text[4:]}}}'}
        return {"IonText": text}

    extra = {} if tip is None else {"DigestTipAddress": resolve(tip)}
    with pytest.raises(qldb.exceptions.InvalidParameterException) as error:
        qldb.get_block(Name=ledger, BlockAddress=resolve(address), **extra)
    assert error.value.response["Error"]["Message"] == message
