"""A redaction, in every place that shows the revision: the data is gone, every hash and every old proof holds."""

from __future__ import annotations

import pytest
from helpers.ledgers import digest, redact
from helpers.local_driver import CONTEXT, REGION, LocalSession, new_ledger

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.errors import QldbError
from qldb_emulator.ion.codec import dumps_text, loads
from qldb_emulator.journal.model import BlockAddress
from qldb_emulator.journal.parse import block_from_ion
from qldb_emulator.verify import check_block, verify_block, verify_revision

SECRET = "the word that must be gone"


@pytest.fixture
def session(emulator) -> LocalSession:
    session = new_ledger(emulator)
    session.run("CREATE TABLE Car")
    session.run("CREATE INDEX ON Car (secret)")
    session.run("INSERT INTO Car <<?, ?>>", {"secret": SECRET}, {"secret": "other"})
    session.run("UPDATE Car SET secret = 'public' WHERE secret = ?", SECRET)
    return session


def ask(emulator: Emulator, operation: str, row, tip: str):
    address = {"IonText": dumps_text(row["blockAddress"])}
    members = {"Name": "cars", "BlockAddress": address, "DigestTipAddress": {"IonText": tip}}
    if operation == "GetRevision":
        members["DocumentId"] = row["metadata"]["id"]
    answer = emulator.call(operation, members, CONTEXT)
    return answer[operation.removeprefix("Get")]["IonText"], loads(answer["Proof"]["IonText"])


def secret_row(session: LocalSession):
    rows = session.run("SELECT * FROM history(Car) AS h WHERE h.metadata.version = 0")
    return next(row for row in rows if row["data"]["secret"] == SECRET)


def redact_row(session: LocalSession, row) -> None:
    (table,) = session.run("SELECT VALUE tableId FROM information_schema.user_tables")
    session.run("EXEC REDACT_REVISION ?, ?, ?", row["blockAddress"], table, row["metadata"]["id"])


def test_the_data_is_gone_everywhere_and_old_proofs_hold(emulator, session):
    value, tip = digest(emulator)
    row = secret_row(session)
    kept = {operation: ask(emulator, operation, row, tip) for operation in ("GetBlock", "GetRevision")}
    redact_row(session, row)
    tip_address = BlockAddress(**dict(zip(("strand_id", "sequence_no"), loads(tip).values(), strict=True)))
    for operation, (before, proof) in kept.items():
        after, proof_after = ask(emulator, operation, row, tip)
        assert SECRET in before
        assert SECRET not in after
        assert proof_after == proof
        check = verify_block if operation == "GetBlock" else verify_revision
        for text in (before, after):
            assert check(loads(text), proof, value, tip_address).findings == ()
    history = session.run("SELECT * FROM history(Car)")
    assert SECRET not in "".join(map(dumps_text, history))
    redacted = next(each for each in history if "dataHash" in each)
    assert list(redacted) == ["blockAddress", "hash", "dataHash", "metadata"]
    assert redacted["hash"] == row["hash"]


def test_nothing_of_the_data_stays_in_the_file(emulator, session):
    redact_row(session, secret_row(session))
    file = emulator.ledgers.find(REGION, "cars").file
    assert all(SECRET.encode() not in ion for _, ion in file.blocks(3, 3))
    assert all(SECRET not in repr(row) for _, row in file.dump_derived())


def test_the_block_of_the_redaction_says_which_revision(emulator, session):
    row = secret_row(session)
    redact_row(session, row)
    ledger = emulator.ledgers.find(REGION, "cars")
    blocks = [block_from_ion(loads(ion)) for _, ion in ledger.file.blocks()]
    (recorded,) = [block for block in blocks if block.redaction_info is not None]
    (entry,) = recorded.redaction_info["revisions"]
    assert entry["blockAddress"] == row["blockAddress"]
    assert (entry["documentId"], entry["version"]) == (row["metadata"]["id"], 0)
    assert [finding for block in blocks for finding in check_block(block)] == []


def test_a_second_redaction_is_refused_and_so_is_one_of_the_current_revision(emulator, session):
    row = secret_row(session)
    redact_row(session, row)
    with pytest.raises(QldbError, match="is already redacted"):
        redact_row(session, row)
    (current,) = session.run("SELECT * FROM _ql_committed_Car AS c WHERE c.data.secret = 'public'")
    with pytest.raises(QldbError, match="is active and cannot be redacted"):
        redact_row(session, current)


def test_the_revision_of_a_deleted_document_is_redacted(emulator, session):
    session.run("DELETE FROM Car WHERE secret = 'other'")
    redacted = redact(session, "Car", 0)
    assert redacted["metadata"]["version"] == 0
    emulator.ledgers.find(REGION, "cars").rebuild()
    assert len([row for row in session.run("SELECT * FROM history(Car)") if "dataHash" in row]) == 1
