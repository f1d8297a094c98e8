from bench.structure_kept import elements, shares


def test_what_a_text_keeps_of_a_page():
    page = b"""<ul><li>Menu entry one<li>Menu entry two</ul><h1>The page's own title</h1><h2>A heading, with more</h2>
    <table><tr><td>A cell of it<td>12</table><dl><dt>A term of it<dd>which is explained</dl>"""
    found = elements(page, "A heading with more\nA cell of it\nA term of it\nwhich is explained")
    assert [(kind, wanted) for kind, _, wanted in found] == [
        ("item", False), ("item", False), ("h1", False), ("heading", True), ("cell", True), ("term", True)
    ]  # fmt: skip
    kept = shares([(found, "A HEADING\nMenu entry two. A cell: of it")])
    assert kept["heading"] == (1, 0.0, 0, 0.0)  # as the case is another
    assert kept["item"] == (0, 0.0, 2, 0.5)
    assert kept["cell"] == (1, 1.0, 0, 0.0)


def test_no_markup_no_elements():
    assert elements(b"", "text") == [] and elements(b"\0 only words", "only words") == []
