"""The browser's own Ion reader and Ion Hash against ours: the same hash and the same value, whatever the document."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from helpers.ion_strategies import values
from hypothesis import given, settings

from qldb_emulator.ion.codec import dumps, dumps_text, loads
from qldb_emulator.ion.compare import ion_equal
from qldb_emulator.ion.hash import hash_value
from qldb_emulator.journal.dot import dot
from qldb_emulator.journal.merkle import root
from qldb_emulator.web.console.pages import STATIC

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")

PROGRAM = """
import { createInterface } from "node:readline";
import { readIon, ionText, jsonText, ionHash } from "%(static)s/ion.js";
import { dot, fromBase64, root, sha256, sha256Here, toBase64 } from "%(static)s/hashes.js";
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  if (asked.leaves) {
    const leaves = asked.leaves.map(fromBase64);
    console.log(JSON.stringify([toBase64(await root(leaves)), toBase64(await dot(leaves[0], leaves.at(-1)))]));
    continue;
  }
  const octets = fromBase64(asked.ion);
  const value = readIon(octets);
  const same = toBase64(sha256Here(octets)) === toBase64(await sha256(octets));
  const hash = toBase64(await ionHash(value));
  console.log(JSON.stringify({ hash, text: ionText(value), json: jsonText(value), same }));
}
"""


class Browser:
    """Node.js with the console's modules."""

    def __init__(self) -> None:
        program = PROGRAM % {"static": STATIC.as_uri()}
        command = ["node", "--input-type=module", "-e", program]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **asked: Any) -> Any:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(asked) + "\n")
        stdin.flush()
        return json.loads(stdout.readline())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    made = Browser()
    yield made
    made.process.communicate(timeout=10)


def check(browser: Browser, value: Any) -> None:
    found = browser.ask(ion=base64.b64encode(dumps(value)).decode())
    assert base64.b64decode(found["hash"]) == hash_value(value), dumps_text(value)
    assert ion_equal(loads(found["text"]), value), found["text"]
    assert found["same"]
    json.loads(found["json"])


@settings(max_examples=150)
@given(value=values())
def test_any_value_has_the_same_hash_and_text(browser: Browser, value: Any) -> None:
    check(browser, value)


@pytest.mark.parametrize(
    "text",
    [
        '{a:1,b:"x",c:2017-08-21,d:90.25,e:{{aGk=}},f:null.int,g:[1,(a b)],h:x::y::1}',
        "{a:-0.0,b:0d0,c:0d5,d:1d10,e:0.000000000001,f:-1.5d-30}",
        "[nan,+inf,-inf,0e0,-0e0,1.5e0]",
        "[2017T,2017-08T,2017-08-21,2000-01-01T00:00-00:00,2017-08-21T10:11:12.000+01:00,0001-01-01T00:00Z]",
        "x::null",
        "[$0,'',\"\",'a b','null',{{}},{{\"\"}},[],(),{}]",
        '"\\x0b\\x0c\\x0e"',
        "[12345678901234567890123,-9007199254740993,0,-1]",
    ],
)
def test_the_corners_of_each_type(browser: Browser, text: str) -> None:
    check(browser, loads(text))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
def test_the_tree_is_combined_alike(browser: Browser, size: int) -> None:
    leaves = [hash_value(f"leaf {number}") for number in range(size)]
    found = browser.ask(leaves=[base64.b64encode(leaf).decode() for leaf in leaves])
    assert [base64.b64decode(each) for each in found] == [root(leaves), dot(leaves[0], leaves[-1])]
