"""Which tables of a page are written as such, and not as the paragraphs in them.

A table of data has at least two rows and two columns, and no cell with more in it than lines of one paragraph. What
holds another table, or is mostly holes, was made to lay out a page. Blocks that are not written do not count.
"""

import numpy as np

from pipeline.html.elements import TABLE
from pipeline.kernels.compiling import kernel
from pipeline.page.blocks.writing import Markup
from pipeline.page.markdown.nesting import Nesting

LEAST_FULL = 4  # a cell in so many


@kernel
def goes_on(markup: Markup, written: np.ndarray, block: int) -> bool:
    """Whether a block is one more line, behind a <br>, of the paragraph of the block before it."""
    return (
        block > 0
        and markup.breaks[block] == 1
        and markup.element[block] == markup.element[block - 1]
        and written[block - 1]
        and written[block]
    )


@kernel
def columns_of(markup: Markup, by: Nesting, written: np.ndarray) -> np.ndarray:
    """Columns of each table of data, int32 by element; 0 for all others. written: bool by block."""
    n = len(markup.tag)
    widest = np.zeros(n, np.int32)
    if not by.table.any():
        return widest
    rows, cells, pairs = np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros(n, np.int32)
    in_row, last_row, last_cell = np.zeros(n, np.int32), np.zeros(n, np.int32), np.zeros(n, np.int32)
    used, bad = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    for block in range(len(written)):
        element = markup.element[block]
        table, row, cell = by.table[element], by.row[element], by.cell[element]
        if not written[block] or not table:
            continue
        used[table] = True
        if not cell:  # a caption, or what is in no row
            bad[table] |= cells[table] > 0
            continue
        bad[table] |= by.mixed[element] != 0
        if cell == last_cell[table]:
            bad[table] |= not goes_on(markup, written, block)
            continue
        in_row[table] = in_row[table] + 1 if row == last_row[table] else 1
        rows[table] += row != last_row[table]
        pairs[table] += in_row[table] == 2
        cells[table] += 1
        widest[table] = max(widest[table], by.column[cell])
        last_row[table], last_cell[table] = row, cell
    for table in range(n - 1, 0, -1):  # inner ones come first
        if markup.tag[table] != TABLE or by.table[table] != table:
            continue
        if used[table]:
            used[by.outer[table]] = bad[by.outer[table]] = True
        full = LEAST_FULL * np.int64(cells[table]) >= np.int64(rows[table]) * widest[table]
        if bad[table] or rows[table] < 2 or pairs[table] == 0 or not full:
            widest[table] = 0
    return widest
