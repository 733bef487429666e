"""The tables of a journal log in PostgreSQL.  Nothing here is specific to a server.

``ledger`` has one small row for each ledger: its last block, a version of its facts, its owner.  Every append updates
it first, so its row lock is the queue of those who append, and the first in it is served first.  ``epoch`` is the
fence: an append that was sent with an older one finds no row.

``block`` is the journal.  The database itself refuses a gap or a fork, whatever a program does: ``previous_seq`` is one
less than ``seq``, a block has one successor only, and the block before it must be there with the hash it names.

``previous_seq`` of block 0 is -1, and its ``previous_hash`` is null, for there is no such block.
"""

from __future__ import annotations

from .postgres_prepared import Prepared

SCHEMA = "qldb_journal"
VERSION = 1

EXISTS = f"SELECT to_regclass('{SCHEMA}.version') IS NOT NULL"
READ_VERSION = f"SELECT version FROM {SCHEMA}.version"

CREATE = f"""
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE {SCHEMA}.version (version integer NOT NULL);
INSERT INTO {SCHEMA}.version VALUES ({VERSION});
CREATE TABLE {SCHEMA}.ledger (
    ledger_id text PRIMARY KEY,
    region text NOT NULL,
    name text NOT NULL,
    seq bigint NOT NULL DEFAULT -1,
    hash bytea NOT NULL DEFAULT '',
    facts_version bigint NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 1,
    owner text,
    UNIQUE (region, name)
) WITH (fillfactor = 50);
CREATE TABLE {SCHEMA}.block (
    ledger_id text NOT NULL,
    seq bigint NOT NULL,
    hash bytea NOT NULL,
    previous_seq bigint NOT NULL,
    previous_hash bytea,
    transaction_id text NOT NULL,
    time_ms bigint NOT NULL,
    ion bytea NOT NULL,
    PRIMARY KEY (ledger_id, seq, hash),
    UNIQUE (ledger_id, previous_seq),
    UNIQUE (ledger_id, transaction_id),
    CHECK (seq >= 0 AND previous_seq = seq - 1 AND (previous_hash IS NULL) = (seq = 0)),
    FOREIGN KEY (ledger_id, previous_seq, previous_hash) REFERENCES {SCHEMA}.block (ledger_id, seq, hash)
);
CREATE TABLE {SCHEMA}.fact (
    ledger_id text NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (ledger_id, key)
);
CREATE TABLE {SCHEMA}.server (
    server_id text PRIMARY KEY,
    url text NOT NULL,
    until timestamptz NOT NULL
);
"""

# One statement, so one round trip, and one transaction.  A plain INSERT: with ON CONFLICT a batch might leave out its
# first block and keep its second.
APPEND = f"""
WITH taken AS (
    UPDATE {SCHEMA}.ledger SET seq = %(last_seq)s, hash = %(last_hash)b
    WHERE ledger_id = %(ledger_id)s AND seq = %(first_seq)s - 1 AND hash = %(first_hash)b AND epoch = %(epoch)s
    RETURNING ledger_id
)
INSERT INTO {SCHEMA}.block (ledger_id, seq, hash, previous_seq, previous_hash, transaction_id, time_ms, ion)
SELECT taken.ledger_id, row.seq, row.hash, row.seq - 1, row.previous_hash, row.transaction_id, row.time_ms, row.ion
FROM taken, unnest(
    %(seqs)s::bigint[], %(hashes)b::bytea[], %(previous_hashes)b::bytea[], %(transaction_ids)s::text[],
    %(times)s::bigint[], %(ions)b::bytea[]
) AS row (seq, hash, previous_hash, transaction_id, time_ms, ion)
"""

# The same for one block, which is the usual number.  Arrays would cost a third of the statement's time.
# $1 ledger, $2 epoch, $3 seq, $4 hash, $5 hash of the block before it, $6 transaction, $7 time, $8 the block
APPEND_ONE = Prepared(
    b"qldb_append_one",
    f"""
WITH taken AS (
    UPDATE {SCHEMA}.ledger SET seq = $3::bigint, hash = $4::bytea
    WHERE ledger_id = $1::text AND epoch = $2::bigint AND seq = $3::bigint - 1 AND hash = $5::bytea
    RETURNING ledger_id
)
INSERT INTO {SCHEMA}.block (ledger_id, seq, hash, previous_seq, previous_hash, transaction_id, time_ms, ion)
SELECT ledger_id, $3::bigint, $4::bytea, $3::bigint - 1, nullif($5::bytea, ''), $6::text, $7::bigint, $8::bytea
FROM taken
""".encode(),
)

REWRITE = f"UPDATE {SCHEMA}.block SET ion = %b WHERE ledger_id = %s AND seq = %s"

# $1 ledger, $2 server
TIP = Prepared(
    b"qldb_tip",
    f"""
SELECT seq, hash, facts_version, epoch,
    $2::text IS NULL OR EXISTS (SELECT FROM {SCHEMA}.server WHERE server_id = $2::text)
FROM {SCHEMA}.ledger WHERE ledger_id = $1::text
""".encode(),
)

HASH_AT = f"SELECT hash FROM {SCHEMA}.block WHERE ledger_id = %s AND seq = %s"

READ = f"""
SELECT seq, hash, coalesce(previous_hash, ''), transaction_id, time_ms, ion FROM {SCHEMA}.block
WHERE ledger_id = %s AND seq >= %s ORDER BY seq LIMIT %s
"""

NEXT_EPOCH = f"UPDATE {SCHEMA}.ledger SET epoch = epoch + 1 WHERE ledger_id = %s"

FACTS = f"""
SELECT ledger.facts_version, fact.key, fact.value
FROM {SCHEMA}.ledger LEFT JOIN {SCHEMA}.fact ON fact.ledger_id = ledger.ledger_id
WHERE ledger.ledger_id = %s
"""
FACTS_OF = f"""
SELECT fact.key, fact.value
FROM {SCHEMA}.ledger LEFT JOIN {SCHEMA}.fact ON fact.ledger_id = ledger.ledger_id
WHERE region = %s AND name = %s
"""
NEXT_FACTS = f"""
UPDATE {SCHEMA}.ledger SET facts_version = facts_version + 1
WHERE ledger_id = %s AND facts_version = %s AND epoch = %s RETURNING facts_version
"""
PUT_FACT = f"""
INSERT INTO {SCHEMA}.fact (ledger_id, key, value) VALUES (%s, %s, %s)
ON CONFLICT (ledger_id, key) DO UPDATE SET value = excluded.value
"""

REGIONS = f"SELECT DISTINCT region FROM {SCHEMA}.ledger ORDER BY region"
NAMES = f'SELECT name FROM {SCHEMA}.ledger WHERE region = %s ORDER BY name COLLATE "C"'
LEDGER_ID = f"SELECT ledger_id FROM {SCHEMA}.ledger WHERE region = %s AND name = %s"
CREATE_LEDGER = f"INSERT INTO {SCHEMA}.ledger (ledger_id, region, name) VALUES (%s, %s, %s)"
DELETE_LEDGER = f"DELETE FROM {SCHEMA}.ledger WHERE ledger_id = %s"
DELETE_LEDGER_AT = f"DELETE FROM {SCHEMA}.ledger WHERE ledger_id = %s AND seq = %s AND facts_version = %s"
DELETE_BLOCKS = f"DELETE FROM {SCHEMA}.block WHERE ledger_id = %s"
DELETE_FACTS = f"DELETE FROM {SCHEMA}.fact WHERE ledger_id = %s"

COPY_BLOCKS = (
    f"COPY {SCHEMA}.block (ledger_id, seq, hash, previous_seq, previous_hash, transaction_id, time_ms, ion) "
    "FROM STDIN (FORMAT binary)"
)
COPY_TYPES = ("text", "int8", "bytea", "int8", "bytea", "text", "int8", "bytea")
SET_TIP = f"UPDATE {SCHEMA}.ledger SET seq = %s, hash = %s WHERE ledger_id = %s"

# --- Servers and owners --------------------------------------------------------------------------------------
# Who is alive is told by the database's clock alone, so servers' clocks need not agree.

BEAT = f"""
UPDATE {SCHEMA}.server SET until = clock_timestamp() + %s * interval '1 second' WHERE server_id = %s
"""
JOIN_SERVERS = f"""
INSERT INTO {SCHEMA}.server (server_id, url, until)
VALUES (%s, %s, clock_timestamp() + %s * interval '1 second')
"""
FORGET_SERVERS = f"DELETE FROM {SCHEMA}.server WHERE until < clock_timestamp() - %s * interval '1 second'"
LEAVE = f"DELETE FROM {SCHEMA}.server WHERE server_id = %s"
PEERS = f"SELECT server_id, url, until > clock_timestamp() FROM {SCHEMA}.server"
LEDGERS = f"SELECT region, name, ledger_id, owner, seq FROM {SCHEMA}.ledger"
CLAIM = f"""
UPDATE {SCHEMA}.ledger SET owner = %(server_id)s
WHERE ledger_id = %(ledger_id)s
  AND EXISTS (SELECT FROM {SCHEMA}.server WHERE server_id = %(server_id)s)
  AND (owner IS NULL OR owner NOT IN (SELECT server_id FROM {SCHEMA}.server WHERE until > clock_timestamp()))
"""
TAKE_OVER = f"""
UPDATE {SCHEMA}.ledger SET owner = %(server_id)s
WHERE ledger_id = %(ledger_id)s AND owner = %(owner)s
  AND EXISTS (SELECT FROM {SCHEMA}.server WHERE server_id = %(server_id)s)
"""
OWNER = f"SELECT owner FROM {SCHEMA}.ledger WHERE ledger_id = %s"
DISOWN = f"UPDATE {SCHEMA}.ledger SET owner = NULL WHERE owner = %s"
HAS_TRANSACTION = f"SELECT EXISTS (SELECT FROM {SCHEMA}.block WHERE ledger_id = %s AND transaction_id = %s)"
WAITING = f"""
SELECT region, name FROM {SCHEMA}.ledger
WHERE (owner IS NULL OR owner NOT IN (SELECT server_id FROM {SCHEMA}.server WHERE until > clock_timestamp()))
  AND EXISTS (
    SELECT FROM {SCHEMA}.fact
    WHERE fact.ledger_id = ledger.ledger_id AND (key LIKE 'stream/%' OR key LIKE 'export/%') AND value <> 'null'
  )
"""

WAITS_FOR_STANDBY = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')"
