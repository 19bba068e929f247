"""Compiles the programs: Kubernetes' own, its pause, and the two stand-ins that Debian does not have.

Laws:

1. Go comes from Debian, unpacked beside the source; the machine's Go and its settings are not used.
2. The programs hold nothing of this machine: the same source gives the same bytes.
3. A build that was cut off goes on: what Go has compiled is kept in the work folder until all is done.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from mk8s.lab.errors import LabError
from mk8s.lab.processes import run

from . import patches
from .recipe import BUILD_PACKAGES, KUBERNETES, SOURCE_DIGEST, SOURCE_FILE, VERSION
from .sources import Debian

__all__ = ["PROGRAMS", "STAND_INS", "build_programs", "openapi_packages", "version_flags"]

Say = Callable[[str], None]
STAND_INS = ("crictl", "coredns")
PROGRAMS = (*KUBERNETES, *STAND_INS, "pause")

OPENAPI = "pkg/generated/openapi"
OPENAPI_MARK = b"+k8s:openapi-gen="
OPENAPI_ROOTS = ("staging/src/k8s.io", "pkg", "cmd", "plugin")
NO_API = {"sample-apiserver", "code-generator", "testdata"}
EXCEPTIONS = "api/api-rules/violation_exceptions.list"
# The in-tree clouds are left out: half the size, and no wait for a cloud that is not there.
TAGS = "selinux,notest,providerless"
VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
# What upstream's own build of this version says of itself, but for the state of the tree.
VERSION_VALUES = {
    "gitVersion": VERSION,
    "gitMajor": "1",
    "gitMinor": "20",
    "gitTreeState": "archive",
    "gitCommit": "faecb196815e248d3ecfb03c680a4507229c2a56",
    "buildDate": "2021-01-13T13:20:00Z",
}


def build_programs(debian: Debian, work: Path, into: Path, say: Say) -> None:
    """Write PROGRAMS into `into`; `work` may hold what an earlier attempt made. Raises LabError."""
    into.mkdir(parents=True, exist_ok=True)
    go = Go(work)
    _prepare(debian, go, work / "reflect2", say)
    _timed("the OpenAPI tables", partial(_make_openapi, go), say)
    words = ["-tags", TAGS, "-ldflags", version_flags()]
    for number, name in enumerate(KUBERNETES, 1):
        what = f"{name} ({number} of {len(KUBERNETES)})"
        _timed(what, partial(go.build, f"cmd/{name}", into / name, words), say)
    for name in STAND_INS:
        package = _place_stand_in(name, go.source)
        _timed(f"{name}, a stand-in", partial(go.build, package, into / name, ["-ldflags", "-s -w"]), say)
    _build_pause(go.source, into / "pause")


class Go:
    """Debian's Go in a work folder, with Kubernetes' source where GOPATH mode looks for it."""

    def __init__(self, work: Path) -> None:
        self._unpacked = work / "go"
        self._root = self._unpacked / "usr/lib/go-1.19"
        self._path = work / "gopath"
        self._cache = work / "gocache"
        self.source = self._path / "src/k8s.io/kubernetes"
        self.tools = work / "tools"

    def unpack(self, debian: Debian) -> None:
        for package in ("golang-1.19-go", "golang-1.19-src"):
            debian.unpack(package, self._unpacked)

    def build(self, package: str, target: Path, words: Iterable[str] = ()) -> None:
        """Compile a package of the source tree into the program `target`."""
        self.run(["go", "build", "-trimpath", *words, "-o", target, f"./{package}"])

    def run(self, words: Iterable[str | Path]) -> None:
        program, *rest = words
        path = self._root / "bin" / program
        run([path if path.exists() else program, *rest], cwd=self.source, env=self._environment())

    def _environment(self) -> Mapping[str, str]:
        ours = {
            "GOROOT": str(self._root),
            "GOPATH": str(self._path),
            "GOCACHE": str(self._cache),
            "GOENV": "off",
            "GOFLAGS": "",
            "GO111MODULE": "off",
            "GOPROXY": "off",
            "CGO_ENABLED": "0",
            "PATH": f"{self._root}/bin:{os.environ.get('PATH', os.defpath)}",
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GO", "CGO"))}
        return {**kept, **ours}


def version_flags() -> str:
    """What the linker writes into the programs as their version; vendored packages have a prefix there."""
    packages = [*VERSION_PACKAGES, *(f"k8s.io/kubernetes/vendor/{name}" for name in VERSION_PACKAGES)]
    values = (
        f"-X {package}.{name}={value}" for package in packages for name, value in VERSION_VALUES.items()
    )
    return " ".join(("-s", "-w", *values))


def openapi_packages(source: Path) -> list[str]:
    """The Go packages whose types belong in the OpenAPI tables: those with a file that says so."""
    marked = {
        path.parent.relative_to(source)
        for root in OPENAPI_ROOTS
        for path in (source / root).rglob("*.go")
        if not NO_API & set(path.relative_to(source).parts) and OPENAPI_MARK in path.read_bytes()
    }
    names = sorted(folder.as_posix() for folder in marked)
    return [f"k8s.io/kubernetes/{name.replace('staging/src/', 'vendor/', 1)}" for name in names]


def _prepare(debian: Debian, go: Go, reflect: Path, say: Say) -> None:
    """Have Go and the patched source, from Debian's packages."""
    say("fetching the source and Go from Debian (about 120 MB)")
    debian.fetch(BUILD_PACKAGES)
    archive = debian.fetch_source("kubernetes", SOURCE_FILE, SOURCE_DIGEST)
    say("unpacking and patching the source")
    go.unpack(debian)
    _unpack_source(archive, go.source)
    debian.unpack("golang-github-modern-go-reflect2-dev", reflect)
    new = reflect / "usr/share/gocode/src/github.com/modern-go/reflect2"
    patches.replace_folder(go.source / patches.REFLECT2, new)
    patches.apply_all(go.source)


def _unpack_source(archive: Path, source: Path) -> None:
    """In one move, so that a tree that is there is whole."""
    if source.exists():
        return
    unfinished = source.with_name("unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    run(["tar", "-xzf", archive, "-C", unfinished, "--strip-components=1", "--no-same-owner"])
    unfinished.rename(source)


def _make_openapi(go: Go) -> None:
    """The one generated file that upstream does not ship, made by upstream's generator.

    It also reports which names break the API's rules: as upstream lists them, if it read the same types.
    """
    generator, report = go.tools / "openapi-gen", go.tools / "violations"
    go.build("vendor/k8s.io/kube-openapi/cmd/openapi-gen", generator)
    words: list[str | Path] = [generator, "--logtostderr", "-i", ",".join(openapi_packages(go.source))]
    words += ["-p", f"k8s.io/kubernetes/{OPENAPI}", "-O", "zz_generated.openapi"]
    words += ["-h", "vendor/k8s.io/code-generator/hack/boilerplate.go.txt", "-r", report]
    go.run([*words, "--output-base", go.source.parent.parent])
    if report.read_bytes() != (go.source / EXCEPTIONS).read_bytes():
        raise LabError(f"the OpenAPI tables are not upstream's: {report} differs from {EXCEPTIONS}")


def _place_stand_in(name: str, source: Path) -> str:
    """Put our source where it can use Kubernetes' vendored libraries; the package's path."""
    package = Path("cmd") / f"standin-{name}"
    (source / package).mkdir(exist_ok=True)
    shutil.copyfile(Path(__file__).parent / "files" / name / "main.go", source / package / "main.go")
    return package.as_posix()


def _build_pause(source: Path, target: Path) -> None:
    """Upstream's own C program; static, because its image holds nothing else."""
    code = source / "build/pause/linux/pause.c"
    run(["gcc", "-Os", "-Wall", "-Werror", "-static", "-s", "-DVERSION=v3.2-debian", "-o", target, code])


def _timed(what: str, do: Callable[[], None], say: Say) -> None:
    began = time.monotonic()
    say(f"building {what}")
    do()
    say(f"  {time.monotonic() - began:.0f} s")
