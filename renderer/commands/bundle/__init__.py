"""`sitewright bundle build|sign|verify|inspect`."""

from renderer.commands.bundle.build import build
from renderer.commands.bundle.inspect import inspect
from renderer.commands.bundle.sign import sign
from renderer.commands.bundle.verify import verify

__all__ = ["build", "inspect", "sign", "verify"]
