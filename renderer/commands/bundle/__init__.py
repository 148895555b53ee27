"""`sitewright bundle build|sign|verify|inspect`."""

from renderer.commands.bundle.build import build
from renderer.commands.bundle.inspect import inspect
from renderer.commands.bundle.sign import sign
from renderer.commands.bundle.verify import verify
from renderer.commands.bundle.workbench import Workbench

__all__ = ["Workbench", "build", "inspect", "sign", "verify"]
