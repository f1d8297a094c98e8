"""What pyproject.toml cannot say: a wheel knows the revision of its code, since no git does where it is installed.

The revision is that of the checkout, or WANYU_REVISION where the build has the files alone, as in an image.
"""

import os
import runpy
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent


class BuildWithRevision(build_py):
    def run(self) -> None:
        super().run()
        if self.editable_mode:  # the checkout is asked each time
            return
        known = runpy.run_path(str(HERE / "schemas" / "code_revision.py"))
        revision = os.environ.get("WANYU_REVISION") or known["of_sources"](HERE)
        Path(self.build_lib, "schemas", known["WRITTEN"]).write_text(f"{revision}\n")


setup(cmdclass={"build_py": BuildWithRevision})
