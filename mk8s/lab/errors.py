"""What can go wrong with a lab, as messages for the person who asked for it."""

from __future__ import annotations

from mk8s.errors import ExitCode, Mk8sError

__all__ = ["LabError", "UnfitError"]


class LabError(Mk8sError):
    """The lab, or one of its hosts, did not do what was asked."""


class UnfitError(LabError):
    """This machine, this user or this request is not fit for a lab. Nothing was changed."""

    exit_code = ExitCode.MANIFEST_NEEDS_YOU
