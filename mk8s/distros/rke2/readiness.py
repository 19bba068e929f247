"""What RKE2's own answers mean; what K3s has too is in `rancher.readiness`."""

from __future__ import annotations

from mk8s.steps import Verdict
from transports.base import Outcome

__all__ = ["nm_cloud_setup_is_off"]


def nm_cloud_setup_is_off(outcome: Outcome) -> Verdict:
    """This release's unit fails to start while nm-cloud-setup is enabled."""
    if outcome.text not in {"enabled", "enabled-runtime"}:
        return Verdict(True, "nm-cloud-setup is off")
    return Verdict(
        False,
        "nm-cloud-setup is enabled, and this release of RKE2 does not start beside it",
        ("check.nm-cloud-setup", "check"),
        "run `systemctl disable --now nm-cloud-setup.service nm-cloud-setup.timer` and reboot the host",
        True,
    )
