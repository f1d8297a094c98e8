"""The rules by name, made of plain settings, by keyword. ValueError for what is out of bounds."""

from collections.abc import Callable

from train.fusion.average import Average
from train.fusion.dare import Dare
from train.fusion.fisher import Fisher
from train.fusion.regmean import RegMean
from train.fusion.rule import Rule
from train.fusion.slerp import Slerp
from train.fusion.task_arithmetic import TaskArithmetic
from train.fusion.ties import Ties

RULES: dict[str, Callable[..., Rule]] = {
    "average": Average,  # weights
    "slerp": Slerp,  # t
    "task-arithmetic": TaskArithmetic,  # scale, weights
    "ties": Ties,  # density, scale, weights
    "dare": Dare,  # drop, then, scale, weights, seed
    "fisher": Fisher,  # of, weights, floor
    "regmean": RegMean,  # of, shrink
}
