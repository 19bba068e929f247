"""What a download can fail with. Pure: whoever reads it need not load the client.

Begin reading at `FetchError`; a full disk is `mk8s.artifacts.filing.CacheError`.
"""

from __future__ import annotations

from mk8s.errors import ExitCode, Mk8sError

__all__ = ["AGAIN", "FetchError"]

AGAIN = "try again; what has arrived is kept"


class FetchError(Mk8sError):
    """One URL could not be fetched. `transient`: trying again may help, and nothing else has to change.

    `kind`: connection, certificate, timeout, cut, status, length, range, encoding,
    redirect, page, hash, file.
    `after`: seconds that the server wants us to wait.
    """

    def __init__(
        self,
        kind: str,
        problem: str,
        *,
        transient: bool = False,
        after: float = 0.0,
        cause: str = "",
        remedy: str = "",
    ) -> None:
        super().__init__(problem, cause=cause, remedy=remedy or (AGAIN if transient else ""))
        self.kind = kind
        self.transient = transient
        self.after = after
        self.exit_code = ExitCode.NODES_NEED_YOU if transient else ExitCode.MANIFEST_NEEDS_YOU
