"""A quotation stands in the text, piece by piece; only white space is forgiven."""

from __future__ import annotations

import pytest

from complaints.procedure.quotations import closed_up, lacking

TEXT = closed_up("客服部应当 在一小时内\n填写登记表,并编号。客服部应当归档。")


@pytest.mark.parametrize(
    "says",
    ["客服部应当在一小时内填写登记表", "在一小时 内\n填写", "客服部…并编号", "填写登记表…归档", "…并编号…", "编号"],
)
def test_words_of_the_text_are_found_across_lines_and_gaps(says: str) -> None:
    assert lacking(says, TEXT) is None


@pytest.mark.parametrize(
    ("says", "piece"),
    [
        ("客服部应当在两小时内", "客服部应当在两小时内"),
        ("并编号…填写登记表", "填写登记表"),
        ("编号…编号", "编号"),
        ("填写登记表，并编号", "填写登记表，并编号"),
    ],
)
def test_a_piece_that_is_not_there_or_not_in_that_order_is_named(says: str, piece: str) -> None:
    assert lacking(says, TEXT) == piece
