"""Tables as a workbook: what a spreadsheet program reads is what was written."""

from __future__ import annotations

from datetime import UTC, datetime

from ledger.sheets import Sheet, report_sheets, workbook
from tests.workbooks import read


def test_texts_stay_texts_and_numbers_numbers() -> None:
    at = datetime(2026, 3, 2, 1, tzinfo=UTC)
    book = workbook(
        [Sheet("投诉台帐", ("编号", "n", "满意"), [["=1+1", 3, True], ["007", 2.5, None], [at, ["a"], {}]])]
    )
    assert read(book) == {
        "投诉台帐": [
            ["编号", "n", "满意"],
            ["=1+1", 3, True],
            ["007", 2.5],
            ["2026-03-02T01:00:00+00:00", '["a"]', "{}"],
        ]
    }


def test_sheets_are_told_apart_whatever_they_are_called() -> None:
    book = workbook(
        [Sheet("a/b", ("x",), []), Sheet("A b", ("x",), []), Sheet("长" * 40, ("x",), []), Sheet("", ("x",), [])]
    )
    assert list(read(book)) == ["a b", "A b 2", "长" * 31, "sheet"]


def test_the_same_tables_are_the_same_file() -> None:
    sheets = [Sheet("a", ("x",), [[1]])]
    assert workbook(sheets) == workbook(sheets)


def test_a_report_is_a_sheet_of_what_it_is_and_one_for_each_figure() -> None:
    figures = [
        {"count": "received", "by": "category", "is": {"noise": 2, "water": 1}, "late": {"noise": 1}},
        {"rate": "closed", "of": "received", "is": [1, 3]},
        {"on-time": "answer", "is": [1, 2]},
        {"list": "escalated", "shows": ["place"], "is": [{"complaint": "B", "place": "三楼"}]},
        {"list": "resolved", "by": "owner", "shows": ["place"], "is": {"parks": [{"complaint": "C"}]}},
    ]
    data = {"owe": "monthly", "period": "2026-04", "covers": ["2026-03-01", "2026-04-01"], "figures": figures}
    found = {
        sheet.name: [list(sheet.heads), *map(list, sheet.rows)]
        for sheet in report_sheets({"at": "2026-04-01T00:00:00+08:00", "clause": ["5", "desk:x"], "data": data})
    }
    assert found == {
        "report": [
            ["what", "is"],
            ["duty", "monthly"],
            ["period", "2026-04"],
            ["covers from", "2026-03-01"],
            ["to before", "2026-04-01"],
            ["produced at", "2026-04-01T00:00:00+08:00"],
            ["clause", "5, desk:x"],
        ],
        "count received by category": [
            ["category", "number", "late"],
            ["noise", 2, False],
            ["water", 1, False],
            ["noise", 1, True],
        ],
        "rate closed": [["rate", "of all", "reached", "late"], ["all", 3, 1, False]],
        "on-time answer": [["on-time", "of all", "reached", "late"], ["all", 2, 1, False]],
        "list escalated": [["complaint", "place", "late"], ["B", "三楼", False]],
        "list resolved by owner": [["complaint", "place", "late"], ["C", None, False]],
    }


def test_a_report_whose_window_nobody_has_set_says_so() -> None:
    told = "not-stated: the desk must set weekly.covers"
    data = {"owe": "weekly", "period": "2026-03-03", "covers": None, "figures": told}
    (sheet,) = report_sheets({"at": "2026-03-03T00:00:00+08:00", "clause": "5", "data": data})
    assert list(sheet.rows)[-1] == ("figures", told)
