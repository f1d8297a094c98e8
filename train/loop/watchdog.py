"""stub"""
from contextlib import contextmanager
class Watchdog:
    def __init__(self, *a): pass
    def __enter__(self): return self
    def __exit__(self, *a): pass
    def at(self, *a): pass
    @contextmanager
    def patient(self, n): yield
