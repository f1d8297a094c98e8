import numpy as np
import pyarrow as pa

from pipeline.mixture.document_rows import chances, hosts_of
from pipeline.repeats.host_lines import addresses_of

URLS = [
    "https://www.Example.com:80/a", "http://user@a.b.c./x#y", None, "nohost", "//www.com/x", "https://[::1]:8/", "",
    "ftp:///x", " https://é.example/", "https://例え.jp/道", "HTTPS://WWW.XN--E1AFMKFD.example/?q=1", "https://www.www.a/",
    "mailto:a@b.example", "https:/\\odd", "http://a\nb/", "https://مثال.example/صفحة",
]  # fmt: skip


def test_hosts_are_those_that_dedup_sees() -> None:
    urls = pa.array(URLS, pa.string())
    assert hosts_of(urls).to_pylist() == addresses_of(urls).hosts.to_pylist()


def test_chances_are_even_and_independent() -> None:
    hashes = np.arange(100_000, dtype=np.uint64) * np.uint64(7919)
    one, other, again = chances(hashes, 5, 1), chances(hashes, 5, 2), chances(hashes, 6, 1)
    for drawn in (one, other, again):
        bins = np.bincount(drawn >> 28, minlength=16)
        assert abs(bins - 6250).max() < 5 * 6250**0.5
    for a, b in ((one, other), (one, again)):
        assert abs(np.corrcoef(a.astype(float), b.astype(float))[0, 1]) < 0.02
    assert (chances(hashes[:10], 5, 1) == one[:10]).all()
