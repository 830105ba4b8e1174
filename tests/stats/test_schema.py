"""Columns are those of the original, and rows are made to fit."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from afanasy_py.stats.schema import TABLES, Fitting, Lengths, clean_text
from afanasy_py.stats_rows import LogRow
from tests.stats.stats_helpers import JOB, LOG, TASK

RECORDED = Path(__file__).parents[1] / "golden" / "sql"
SCHEMA = Path(__file__).parent / "original_schema.sql"


def test_tables_are_those_of_the_original() -> None:
    found = re.findall(r"CREATE TABLE (\w+) \(\n(.*?)\n\);", SCHEMA.read_text(), re.DOTALL)
    original = {
        name: [" ".join(line.strip().rstrip(",").split()) for line in body.splitlines()]
        for name, body in found
    }
    ours = {
        table.name: [f"{column.name} {column.sql_type(Lengths())}" for column in table.columns]
        for table in TABLES
    }
    assert ours == original


def test_an_index_entry_is_never_too_long_for_postgresql() -> None:
    for table in TABLES:
        texts = {column.name for column in table.columns if column.is_text}
        for columns in table.indexes:
            assert len([name for name in columns if name in texts]) <= 1
            assert not {"command", "info", "resources"} & set(columns)


@pytest.mark.parametrize(
    ("text", "length", "expected"),
    [
        ("plain", 512, "plain"),
        ("plain", 3, "pla"),
        ("я" * 4000, 512, "я" * 512),
        ("x" + "я" * 400, 256, "x" + "я" * 255),
        ("😀" * 600, 512, "😀" * 512),
        ("a\0b\0", 512, "ab"),
        ("\0\0\0", 2, ""),
        (b"caf\xe9 \xff".decode("utf-8", "surrogateescape"), 512, "caf\N{REPLACEMENT CHARACTER} \ufffd"),
        ("\ud83d", 512, "\ufffd"),
        ("$$ ' \" \\ \\' %s ? :x $1 \x01\x7f\n\t", 512, "$$ ' \" \\ \\' %s ? :x $1 \x01\x7f\n\t"),
        ("", 512, ""),
    ],
)
def test_texts_are_cleaned_and_cut_by_characters(text: str, length: int, expected: str) -> None:
    assert clean_text(text, length) == expected
    fitting = Fitting(Lengths(name=length, expr=length))
    assert fitting.cells(LogRow(1, text, "", "", text)) == (1, expected, "", "", expected)


def test_numbers_are_kept_inside_of_their_columns() -> None:
    huge = dataclasses.replace(JOB, serial=10**30, capacity=2**40, tasks_done=-(2**40), id_block=True)
    cells = dict(zip([c.name for c in TABLES[0].columns], Fitting(Lengths()).cells(huge), strict=True))
    assert cells["serial"] == 2**63 - 1
    assert cells["capacity"] == 2**31 - 1
    assert cells["tasks_done"] == -(2**31)
    assert cells["id_block"] == 1


def test_rows_are_told_apart_by_table_in_their_order() -> None:
    fitting = Fitting(Lengths())
    found = fitting.by_table([LOG, TASK, LOG, JOB])
    assert {name: len(rows) for name, rows in found.items()} == {"logs": 2, "tasks": 1, "jobs": 1}
    assert found["logs"][0] == (1795490776, "afanasy", "server", "server", "Server shutdown.")


def test_rows_of_the_original_pass_unchanged() -> None:
    for table in TABLES:
        recorded = json.loads((RECORDED / f"rows_{table.name}.json").read_text())
        assert recorded
        for row in recorded:
            assert list(row) == [column.name for column in table.columns]
            assert Fitting(Lengths()).cells(table.row(**row)) == tuple(row.values())
