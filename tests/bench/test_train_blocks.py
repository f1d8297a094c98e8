"""The pieces of tests/bench/train_blocks.py that a wrong label or score could hide in."""

import gzip
import json

import numpy as np
import pytest
from bench import block_labels, train_blocks
from warcs import warc

from pipeline.page.blocks.markup import read_markup
from pipeline.page.main_text.block_model import load, score


def test_a_teaser_far_from_the_article_is_no_part_of_it():
    article = "the quick brown fox jumps over it and then runs away"
    teaser = "the quick brown fox jumps over it"
    blocks = ["home", teaser, "menu", "Head line", article, "more", "last words of the text"]
    gold = f"Head line\n{article}\nlast words of the text"
    labels, counts = block_labels.by_text(blocks, gold)
    assert labels.tolist() == [0, 0, 0, 1, 1, 0, 1]
    assert counts.tolist() == [1, 7, 1, 2, 11, 1, 5]


def test_part_of_a_block():
    labels, _ = block_labels.by_text(["Berlin (dpa) one two three four five six"], "one two three four five six")
    assert labels.tolist() == [pytest.approx(6 / 8)]


def test_scripts_without_spaces_align_by_character():
    labels, counts = block_labels.by_text(["首页新闻", "网络上的每一种语言", "บทความ"], "网络上的每一种语言\nบทความ")
    assert labels.tolist() == [0, 1, 1]
    assert counts.tolist() == [4, 9, 6]


def test_segments():
    labels = block_labels.by_segments(["A wanted, one!", "unwanted two", "both wanted one unwanted", "x"],
                                      ["wanted one"], ["unwanted"])  # fmt: skip
    assert labels[0] == 1 and labels[1] == 0
    assert np.isnan(labels[2:]).all()


def test_f1_of_a_page():
    assert block_labels.page_f1("a b c d e", "a b c d e") == 1
    assert block_labels.page_f1("a b c d e", "b c d e f") == 0.5  # one 4-gram of two and two
    assert block_labels.page_f1("", "a b c d") == 0


@pytest.mark.parametrize(
    ("url", "source", "expected"),
    [
        ("https://www.news.example.co.uk/x", "any", "example.co.uk"),
        ("https://www.rp.pl/a", "any", "rp.pl"),
        ("http://waddle-daniel.example/html/20111101_www.express.gr_66480", "waddle_daniel", "express.gr"),
        ("http://x.example/en/html/blog-leogao-1.html", "htmltotext_benchmark", "blog-leogao"),
    ],
)
def test_host(url, source, expected):
    assert block_labels.host(url, source) == expected


def test_labels_come_from_the_surest_source():
    html = b"<p>one two three four five six seven eight</p><p>nine ten eleven twelve thirteen</p><p>menu here</p>"
    gold = {"url": "http://a.example/", "source": "s"}
    segments = gold | {"gold_segments": {"with": ["two three"], "without": ["menu"]}}
    taught = "one two three four five six seven eight\nnine ten eleven twelve thirteen"
    assert train_blocks.sample(html, gold, ["", ""]) is None
    only = train_blocks.sample(html, segments, ["menu here", ""])
    assert only.labels[0] == 1 and np.isnan(only.labels[1]) and only.labels[2] == 0
    both = train_blocks.sample(html, segments, [taught, ""])
    assert both.labels.tolist() == [1, 1, 0] and both.weight == train_blocks.TEACHER_WEIGHT
    whole = train_blocks.sample(
        html, gold | {"gold_text": ("nine ten eleven twelve thirteen " * 4).strip()}, [taught, ""]
    )
    assert whole.weight == 1 and whole.labels[0] == 0


class Booster:
    """What LightGBM would say: x[1] <= 0.1 ? (x[0] <= 5 ? 1 : 2) : -3, and a lone leaf."""

    def dump_model(self) -> dict:
        low, high = {"leaf_value": 1.0}, {"leaf_value": 2.0}
        inner = {"split_feature": 0, "threshold": 5.0, "left_child": low, "right_child": high}
        tree = {"split_feature": 1, "threshold": 0.1, "left_child": inner, "right_child": {"leaf_value": -3.0}}
        return {"tree_info": [{"tree_structure": tree}, {"tree_structure": {"leaf_value": 0.5}}]}


@pytest.mark.parametrize(
    ("row", "total"),
    [((5, 0.0), 1.5), ((6, 0.0), 2.5), ((0, 0.2), -2.5), ((5, np.float32(0.1)), -2.5), ((5, 0.09999), 1.5)],
)
def test_trees_as_kernels_read_them(row, total):
    """float32(0.1) lies above 0.1."""
    trees = train_blocks.trees(Booster())
    scores = np.zeros(1, np.float32)
    score(trees, np.array([row], np.float32), scores)
    assert scores[0] == pytest.approx(1 / (1 + np.exp(-total)))


def test_texts_of_blocks():
    assert block_labels.texts(read_markup("<p>a<p>б".encode())) == ["a", "б"]


def test_trained_from_a_folder_of_archives(tmp_path, capsys, monkeypatch):
    pytest.importorskip("lightgbm", reason="no lightgbm: pip install -e .[bench]")
    names = [f"http://host{n}.example/" for n in range(8)]
    lines = [f"Sentence number {n} of the article says something of its own." for n in range(30)]
    article = "".join(f"<p>{line}</p>" for line in lines)
    items = [f"Item number {n} of the list" for n in range(12)]
    article += "<h2>A heading of the article</h2><ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"
    menu = "".join(f"<li><a href=/{n}>Somewhere number {n}</a></li>" for n in range(12))
    html = f"<ul class=nav>{menu}</ul><article>{article}</article><footer>imprint</footer>".encode()
    (tmp_path / "a.warc.gz").write_bytes(warc({"url": name, "body": html} for name in names))
    text = "\n".join([*lines, "A heading of the article", *items])
    with gzip.open(tmp_path / "gold.jsonl.gz", "wt") as file:
        file.writelines(json.dumps({"url": name, "source": "s", "gold_text": text}) + "\n" for name in names)
    out = tmp_path / "model.npz"
    monkeypatch.setattr("sys.argv", ["train_blocks.py", str(tmp_path), "--folds", "2", "--out", str(out)])
    train_blocks.main()
    told = capsys.readouterr().out.partition("all rounds, unseen hosts")[2]
    assert "item       of the gold     96 kept" in told
    assert all(len(trees.roots) > 50 for trees in load(out))
