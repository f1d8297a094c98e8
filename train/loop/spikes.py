"""stub"""
from dataclasses import dataclass
@dataclass(frozen=True)
class SkippedRange:
    step_from: int
    step_to: int
    def as_json(self): return [self.step_from, self.step_to]
    @classmethod
    def from_json(cls, x): return cls(*x)
class SpikeDetector:
    def __init__(self, factor): pass
