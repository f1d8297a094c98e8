"""Addresses that no URL may lead to, in all their spellings."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.web import public
from pipeline.web.public import ALLOWED, is_public, refused


@pytest.fixture(autouse=True)
def nobody_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ALLOWED)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
        *("169.254.169.254", "100.64.0.1", "100.127.255.255", "0.0.0.0", "0.1.2.3", "224.0.0.1", "224.0.1.1"),
        *("239.255.255.250", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "ff0e::1"),
        *("2001:db8::1", "100::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1"),
        *("64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2001:0:7f00:1::1", "", "x", "1.2.3"),
    ],
)
def test_no_address_of_the_internet(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
)
def test_addresses_of_the_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "0177.0.0.1", "0x7f.0.0.1", "0x7f000001", "2130706433", "017700000001", "127.0.0.1."),
        *("127。0。0。1", "１２７.0.0.1", "①②⑦.0.0.1", "%31%32%37.0.0.1", "localhost", "LOCALHOST.", "a.localhost"),
        *("[::1]", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]", "169.254.169.254", "0xa9fea9fe", "2852039166", "0", "0.0"),
        *("user:pw@127.0.0.1", "example.org@127.0.0.1", "10.1", "12\t7.0.0.1", "[fe80::1]", "[fd00:ec2::254]"),
    ],
)
def test_spellings_of_private_addresses(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for url in (f"http://{host}/", f"https://{host}:8443/latest/meta-data/", f"HTTP:\\\\{host}\\"):
        said = refused(url)
        assert said and "is no address of the public internet: --allow-private-addresses" in said and "\n" not in said
    monkeypatch.setenv(ALLOWED, "1")
    assert refused(f"http://{host}/") is None


@pytest.mark.parametrize(
    "url", ["https://data.commoncrawl.org/a", "http://例え.jp/x", "http://8.8.8.8/", "https://10.org/"]
)
def test_what_does_not_say_so_itself(url: str) -> None:
    assert refused(url) is None


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "gopher://h/", "javascript:alert(1)", "http://", "x", "http://[::1", ""]
)
def test_what_is_no_url_of_the_web(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(url) == "no http(s) URL"
    monkeypatch.setenv(ALLOWED, "1")
    assert refused(url) == "no http(s) URL"


@given(st.ip_addresses())
def test_what_is_private_to_python_is_private_here(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if not address.is_global or address.is_multicast or address.is_loopback or address.is_link_local:
        assert not is_public(str(address)) or (public.NAT64.version == address.version == 6 and address in public.NAT64)


@given(st.ip_addresses(v=4))
def test_a_disguise_is_what_it_hides(address: ipaddress.IPv4Address) -> None:
    high, low = divmod(int(address), 1 << 16)
    for disguise in (f"::ffff:{address}", f"64:ff9b::{address}", f"2002:{high:x}:{low:x}::1"):
        assert is_public(disguise) == is_public(str(address))
    for spelling in (hex(int(address)), str(int(address)), oct(int(address)).replace("o", "")):
        assert (refused(f"http://{spelling}/") is None) == is_public(str(address))
