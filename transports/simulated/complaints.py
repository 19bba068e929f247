"""How a modelled road says that something went wrong: the contract's errors, each with the node's name."""

from __future__ import annotations

from pathlib import PurePosixPath

from transports.base import TransportError

__all__ = ["Complaints"]


class Complaints:
    """The errors of one road."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def error(
        self, *lineage: str, message: str, remedy: str = "", ambiguous: bool = False, final: bool = False
    ) -> TransportError:
        return TransportError(
            *lineage, message=f"{self._name}: {message}", remedy=remedy, ambiguous=ambiguous, final=final
        )

    def closed(self) -> TransportError:
        return self.error("connection.closed", "connection", message="this transport was closed", final=True)

    def silent(self, address: str, seconds: float) -> TransportError:
        return self.error(
            "connection.timeout",
            "connection",
            message=f"{address} did not answer within {seconds:g} s",
            remedy="is the host on, and is the address right?",
        )

    def not_up(self, address: str) -> TransportError:
        return self.error(
            "connection.refused",
            "connection",
            message=f"{address} refuses connections",
            remedy="is it booting, or is the port wrong?",
        )

    def lost(self, doing: str) -> TransportError:
        return self.error(
            "connection.lost",
            "connection",
            message=f"{doing}: the connection was lost before an answer came",
            remedy="it is asked again once the host answers",
            ambiguous=True,
        )

    def late(self, doing: str, seconds: float | None) -> TransportError:
        return self.error(
            "timeout.command",
            "timeout",
            message=f"{doing}: no answer within {seconds:g} s",
            remedy="look at the load of the host",
            ambiguous=True,
        )

    def refused(self, doing: str, path: PurePosixPath, words: str) -> TransportError:
        return self.error(
            "exit.1",
            "exit",
            message=f"cannot {doing} {path}: {words}",
            remedy="check that the folder or file exists",
        )
