"""k0s: what a release of it consists of. Its driver is not built yet.

    versions   what began with which release          artifacts  the files of a release
    catalogue  both, as a `Catalogue`

Begin reading at `artifacts`.
"""

from mk8s.distros.k0s.catalogue import CATALOGUE

__all__ = ["CATALOGUE"]
