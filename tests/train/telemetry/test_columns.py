"""Columns of a terminal."""

from train.telemetry.columns import WIDTH, columns, laid_out, readable, shortened


def test_columns_are_aligned_whatever_the_script() -> None:
    lines = laid_out([["text", "x"], ["京都", "1"], ["e\u0301", "2"], ["abcde", "3"]])
    assert lines == ["text   x", "-----  -", "京都   1", "e\u0301      2", "abcde  3"]


def test_long_texts_are_cut_around_the_mask_and_steer_no_terminal() -> None:
    text = "word " * 30 + "[MASK] end"
    assert "[MASK]" in shortened(text, "[MASK]") and shortened(text, "[MASK]").startswith("…")
    assert columns(shortened("京" * 90)) <= WIDTH and shortened("京" * 90).endswith("…")
    assert shortened("short") == "short" and shortened("京" * 28) == "京" * 28
    assert shortened("e\u0301" * 57) == "e\u0301" * 55 + "…" and shortened("e\u0301" * 56) == "e\u0301" * 56
    assert shortened("word " * 200_000).endswith("…")  # at once, however long a text is
    assert readable("a\x1b[31m\nb") == "a [31m b" and readable("\n") == r"'\n'"
