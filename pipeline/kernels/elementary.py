"""Exponential and logarithms that are the same to the last bit on every machine, for kernels and over arrays.

NumPy's and the C library's are chosen by the processor (AVX-512, FMA, none) and differ in the last bits of a float64,
of a float32 by more, which is enough to change a table. These are sums, products and quotients only, in which IEEE 754
leaves no choice, and no compiler of ours contracts two of them into one. Method: fdlibm's e_exp.c and e_log.c (Sun,
1993); less than one unit in the last place from the true value.
"""

import numpy as np

from pipeline.kernels.compiling import inlined, kernel

_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_PER_LN2 = 1.44269504088896338700e00
_LEAST, _MOST = -708.0, 709.0  # beyond: 0 (no subnormal numbers) and infinity
_ROUND = 6755399441055744.0  # 1.5 * 2 ** 52: what is added to it and taken away again is rounded to a whole number
_TWO_54 = 18014398509481984.0
_EXPONENT, _MANTISSA, _BIAS = np.int64(52), np.int64((1 << 52) - 1), np.int64(1023)
_HALF_ROOT = np.int64(0x6A09E667F3BCD)  # mantissa of the square root of two


@inlined
def exp(x):
    """e to the power of a float64."""
    inside = min(max(x, _LEAST), _MOST)
    twos = (inside * _PER_LN2 + _ROUND) - _ROUND
    high, low = inside - twos * _LN2_HIGH, twos * _LN2_LOW
    rest = high - low
    square = rest * rest
    part = rest - square * (
        1.66666666666666019037e-01 + square * (-2.77777777770155933842e-03 + square * (
            6.61375632143793436117e-05 + square * (-1.65339022054652515390e-06 + square * 4.13813679705723846039e-08)
        ))
    )  # fmt: skip
    near_one = 1.0 - ((low - (rest * part) / (2.0 - part)) - high)
    # 2 ** 1024 is no number: one of the twos is multiplied afterwards.
    power = np.int64((np.int64(twos) - np.int64(1) + _BIAS) << _EXPONENT).view(np.float64)
    answer = near_one * power * 2.0
    if x < _LEAST:
        return 0.0
    if x > _MOST:
        return np.inf
    return answer if x == x else x


@inlined
def log(x):
    """The natural logarithm of a float64; of 0 minus infinity, of less none (NaN)."""
    small = x < 2.2250738585072014e-308
    bits = np.float64(x * _TWO_54 if small else x).view(np.int64)
    mantissa = bits & _MANTISSA
    above = mantissa >= _HALF_ROOT
    twos = np.float64((bits >> _EXPONENT) - _BIAS + np.int64(above) - (np.int64(54) if small else np.int64(0)))
    f = np.int64(mantissa | ((_BIAS - np.int64(above)) << _EXPONENT)).view(np.float64) - 1.0  # -0.29 to 0.41
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01))
    odd = z * (
        6.666666666666735130e-01 + w * (2.857142874366239149e-01 + w * (
            1.818357216161805012e-01 + w * 1.479819860511658591e-01
        ))
    )  # fmt: skip
    half = 0.5 * f * f
    answer = twos * _LN2_HIGH - ((half - (s * (half + (even + odd)) + twos * _LN2_LOW)) - f)
    if x == 0.0:
        return -np.inf
    if x < 0.0:
        return np.nan
    return answer if x < np.inf else x


@inlined
def log1p(x):
    """The logarithm of 1 + x, of an x of 0 or more."""
    whole = 1.0 + x
    lost = x - (whole - 1.0) if x < np.inf else 0.0
    return log(whole) + lost / whole


@kernel
def _each_exp(values, answers) -> None:
    for i in range(len(values)):
        answers[i] = exp(np.float64(values[i]))


@kernel
def _each_log(values, answers) -> None:
    for i in range(len(values)):
        answers[i] = log(np.float64(values[i]))


def exps(values: np.ndarray) -> np.ndarray:
    """`exp` of each value, float64 of the same shape."""
    answers = np.empty(values.shape)
    _each_exp(np.ascontiguousarray(values).reshape(-1), answers.reshape(-1))
    return answers


def logs(values: np.ndarray) -> np.ndarray:
    """`log` of each value, float64 of the same shape."""
    answers = np.empty(values.shape)
    _each_log(np.ascontiguousarray(values).reshape(-1), answers.reshape(-1))
    return answers
