"""Tables as data: a stream of structs, or in JSON one object or a list of objects.

::

    {
      table: "VehicleRegistration",
      indexes: ["VIN"],                                         // optional
      documents: [ { VIN: "1N4AL11D75C109151", ... }, ... ],
      links: [ { table: "Person", path: ["PersonId"] } ],       // optional
    }

A link puts the document id of another table's n-th document of the same file into the n-th document here.
"""

from __future__ import annotations

import copy
from typing import Any

from ..driver import LedgerSession, OpenTransaction
from ..ion.codec import IonError, load_all
from ..ion.values import IonValue, strip_annotations

DOCUMENTS_A_TRANSACTION = 40  # the service's limit
_MEMBERS = {"table", "indexes", "documents", "links"}


class TablesError(ValueError):
    """The file does not describe tables.  The text says what is wrong and where."""


def read_tables(data: bytes, is_json: bool) -> list[dict[str, Any]]:
    """Return the structs of a file, each with every member that a table needs.  Raises TablesError."""
    try:
        values = list(load_all(data.decode("utf-8") if is_json or not data.startswith(b"\xe0\x01\x00\xea") else data))
    except (IonError, UnicodeDecodeError) as error:
        raise TablesError(f"it is not {'JSON' if is_json else 'Ion'}: {error}") from error
    if is_json and len(values) == 1 and isinstance(values[0], list):
        values = list(values[0])
    return [_checked(number, strip_annotations(value)) for number, value in enumerate(values, 1)]


def _checked(number: int, value: IonValue) -> dict[str, Any]:
    where = f"value {number}"
    if not isinstance(value, dict):
        raise TablesError(f"{where} is not a struct with table, indexes and documents")
    unknown = sorted(set(map(str, value)) - _MEMBERS)
    if unknown:
        raise TablesError(f"{where} has {unknown[0]!r}; it may have {', '.join(sorted(_MEMBERS))}")
    name, indexes = value.get("table"), value.get("indexes", [])
    documents, links = value.get("documents", []), value.get("links", [])
    if not isinstance(name, str) or not name:
        raise TablesError(f"{where} has no string 'table'")
    if not isinstance(indexes, list) or not all(isinstance(field, str) for field in indexes):
        raise TablesError(f"the indexes of {name} are not a list of strings")
    if not isinstance(documents, list) or not all(isinstance(strip_annotations(d), dict) for d in documents):
        raise TablesError(f"the documents of {name} are not a list of structs")
    if not isinstance(links, list) or not all(isinstance(link, dict) for link in links):
        raise TablesError(f"the links of {name} are not a list of structs")
    return {"table": str(name), "indexes": [str(i) for i in indexes], "documents": documents, "links": links}


def load_tables(session: LedgerSession, tables: list[dict[str, Any]]) -> int:
    """Create missing tables and indexes and insert the documents; return how many documents.

    Raises QldbError, TablesError.
    """
    rows = session.run("SELECT name, indexes FROM information_schema.user_tables WHERE status = 'ACTIVE'").rows
    known = {str(row["name"]): {str(i["expr"])[1:-1] for i in row["indexes"]} for row in rows if isinstance(row, dict)}
    ids: dict[str, list[str]] = {}
    for table in tables:
        name = table["table"]
        if name not in known:
            session.run(f'CREATE TABLE "{name}"')
        for field in table["indexes"]:
            if field not in known.get(name, set()):
                session.run(f'CREATE INDEX ON "{name}" ("{field}")')
        documents = _linked(table, ids)
        ids.setdefault(name, []).extend(_insert(session, name, documents))
    return sum(map(len, ids.values()))


def _linked(table: dict[str, Any], ids: dict[str, list[str]]) -> list[Any]:
    documents = copy.deepcopy(table["documents"]) if table["links"] else table["documents"]
    for link in table["links"]:
        source, path = str(link.get("table")), [str(step) for step in link.get("path") or ()]
        if source not in ids or not path:
            raise TablesError(f"a link of {table['table']} needs a table that stands before it, and a path")
        for document, document_id in zip(documents, ids[source], strict=False):
            place = document
            for step in path[:-1]:
                place = place.get(step) if isinstance(place, dict) else None
            if not isinstance(place, dict):
                raise TablesError(f"a document of {table['table']} has no struct at {'.'.join(path[:-1])}")
            place[path[-1]] = document_id
    return list(documents)


def _insert(session: LedgerSession, name: str, documents: list[Any]) -> list[str]:
    ids = []
    for start in range(0, len(documents), DOCUMENTS_A_TRANSACTION):
        batch = documents[start : start + DOCUMENTS_A_TRANSACTION]

        def insert(transaction: OpenTransaction, batch: list[Any] = batch) -> list[Any]:
            return transaction.execute(f'INSERT INTO "{name}" ?', batch).rows

        ids += [str(row["documentId"]) for row in session.execute(insert)]
    return ids
