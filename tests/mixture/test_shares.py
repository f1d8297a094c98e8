import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mixture.shares import members, shares
from schemas.errors import UserError

SIZES = {"eng_Latn": 6_400.0, "srp_Cyrl": 100.0, "srp_Latn": 300.0, "amh_Ethi": 100.0, "xxx_Latn": 0.0}


def test_temperature_by_hand() -> None:
    """Roots of 6,400, 300 and 100 are 80, 17.32 and 10."""
    found = shares(SIZES, "temperature", 2)
    total = 80 + math.sqrt(300) + 10 + 10
    assert found == pytest.approx(
        {"amh_Ethi": 10 / total, "eng_Latn": 80 / total, "srp_Cyrl": 10 / total, "srp_Latn": math.sqrt(300) / total}
    )
    assert shares(SIZES, "temperature", 1) == pytest.approx(shares(SIZES, "natural"))
    assert shares({"a_A": 1.0, "b_B": 1e300}, "temperature", 1000)["a_A"] > 0.1


def test_unimax_is_even_and_natural_is_as_found() -> None:
    assert set(shares(SIZES, "unimax").values()) == {0.25}
    assert shares(SIZES, "natural")["eng_Latn"] == 6_400 / 6_900
    assert shares({}, "natural") == {} == shares({"a_A": 0.0}, "unimax")


def test_weights_by_label_language_group_and_rest() -> None:
    groups = {"african": ["amh", "swh"]}
    found = shares(SIZES, "weights", weights={"srp": 4, "african": 1, "*": 5}, groups=groups)
    assert found == pytest.approx({"srp_Cyrl": 0.1, "srp_Latn": 0.3, "amh_Ethi": 0.1, "eng_Latn": 0.5})
    # The narrower key goes before the wider one.
    found = shares(SIZES, "weights", weights={"srp": 1, "srp_Cyrl": 3})
    assert found == pytest.approx({"srp_Cyrl": 0.75, "srp_Latn": 0.25})
    assert "eng_Latn" not in found


def test_weights_that_cannot_be() -> None:
    with pytest.raises(UserError, match=r"weights names 'swh', which the corpus lacks; it has amh_Ethi, eng_Latn"):
        shares(SIZES, "weights", weights={"swh": 1, "eng": 1})
    with pytest.raises(UserError, match="weights sum to nothing"):
        shares(SIZES, "weights", weights={"eng": 0.0})


def test_members() -> None:
    assert members("srp", list(SIZES), {}) == ["srp_Cyrl", "srp_Latn"]
    assert members("both", list(SIZES), {"both": ["srp_Cyrl", "eng"]}) == ["eng_Latn", "srp_Cyrl"]
    assert members("sr", list(SIZES), {}) == []


@given(
    st.dictionaries(st.sampled_from([f"l{i}_Latn" for i in range(9)]), st.floats(1, 1e15), min_size=1),
    st.sampled_from(["temperature", "unimax", "natural"]),
    st.floats(1, 100),
)
def test_shares_sum_to_one_and_follow_the_sizes(sizes: dict[str, float], method: str, temperature: float) -> None:
    found = shares(sizes, method, temperature)  # type: ignore[arg-type]
    assert sum(found.values()) == pytest.approx(1)
    ordered = sorted(sizes, key=sizes.__getitem__)
    assert all(found[a] <= found[b] * (1 + 1e-12) for a, b in pairwise(ordered))
