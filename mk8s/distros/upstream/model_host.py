"""Models of `host_commands` and `swap_commands`: what each does to a host's files, and what it answers.

The kernel's values are files here as there: /proc/sys/..., /sys/module/... and /proc/swaps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from mk8s.distros.upstream.host_commands import BEGIN, END
from mk8s.distros.upstream.swap_commands import SWAP_MARK
from mk8s.model_answers import NO, YES, refuse
from mk8s.paces import CHANGE, GLANCE
from transports.base import Command, Outcome
from transports.simulated import SimulatedHost, Span, path_of

__all__ = ["ANSWERS", "DURATIONS"]

MODULES = PurePosixPath("/sys/module")


def _text(host: SimulatedHost, path: PurePosixPath) -> str:
    return host.disk.read(path).decode() if path in host.files else ""


def _write(host: SimulatedHost, path: PurePosixPath, text: str) -> None:
    host.disk.make_folder(path.parent)
    host.disk.write(path, text.encode())


# Modules


def _has_modules(host: SimulatedHost, command: Command) -> Outcome:
    return YES if all(host.disk.exists(MODULES / name) for name in command.args[1:]) else NO


def _load_modules(host: SimulatedHost, command: Command) -> Outcome:
    before = path_of(command.args[1])
    loaded = [name for name in command.args[2:] if not host.disk.exists(MODULES / name)]
    for name in loaded:
        host.disk.make_folder(MODULES / name)
    if loaded:
        _write(host, before, _text(host, before) + "".join(f"{name}\n" for name in loaded))
    return YES


def _unload_modules(host: SimulatedHost, command: Command) -> Outcome:
    before, file = map(path_of, command.args)
    for name in _text(host, before).split():
        host.disk.remove(MODULES / name)
    host.disk.remove(file)
    host.disk.remove(before)
    return YES


# Kernel parameters


def _at(proc: str, name: str) -> PurePosixPath:
    return path_of(proc) / name.replace(".", "/")


def _has_sysctls(host: SimulatedHost, command: Command) -> Outcome:
    proc, *pairs = command.args
    split = (pair.split("=", 1) for pair in pairs)
    return YES if all(_text(host, _at(proc, name)).strip() == value for name, value in split) else NO


def _set_sysctls(host: SimulatedHost, command: Command) -> Outcome:
    proc, before, *pairs = command.args
    names = [pair.split("=", 1)[0] for pair in pairs]
    if path_of(before) not in host.files:
        lines = [f"{name}={_text(host, _at(proc, name)).strip() or '0'}\n" for name in names]
        _write(host, path_of(before), "".join(lines))
    for pair in pairs:
        name, value = pair.split("=", 1)
        _write(host, _at(proc, name), f"{value}\n")
    return YES


def _restore_sysctls(host: SimulatedHost, command: Command) -> Outcome:
    proc, before, file = command.args
    host.disk.remove(path_of(file))
    for line in _text(host, path_of(before)).splitlines():
        name, value = line.split("=", 1)
        _write(host, _at(proc, name), f"{value}\n")
    host.disk.remove(path_of(before))
    return YES


# Swap


def _is_swap(line: str) -> bool:
    fields = line.split()
    return len(fields) > 2 and not fields[0].startswith("#") and fields[2] == "swap"


def _is_swap_off(host: SimulatedHost, command: Command) -> Outcome:
    swaps, fstab = map(path_of, command.args)
    swapping = len(_text(host, swaps).splitlines()) > 1
    return NO if swapping or any(map(_is_swap, _text(host, fstab).splitlines())) else YES


def _disable_swap(host: SimulatedHost, command: Command) -> Outcome:
    swaps, fstab, before = map(path_of, command.args)
    lines = _text(host, swaps).splitlines()
    known = _text(host, before)
    notes = (f"device {line.split()[0]}\n" for line in lines[1:])
    _write(host, before, known + "".join(note for note in notes if note not in known))
    if fstab in host.files:
        text = _text(host, fstab).splitlines(keepends=True)
        _write(host, fstab, "".join(f"{SWAP_MARK if _is_swap(line) else ''}{line}" for line in text))
    if swaps in host.files:
        _write(host, swaps, f"{lines[0]}\n")
    return YES


def _restore_swap(host: SimulatedHost, command: Command) -> Outcome:
    fstab, before = map(path_of, command.args)
    if before not in host.files:
        return YES
    if fstab in host.files:
        lines = _text(host, fstab).splitlines(keepends=True)
        _write(host, fstab, "".join(line.removeprefix(SWAP_MARK) for line in lines))
    swaps = path_of("/proc/swaps")
    devices = [line.split()[1] for line in _text(host, before).splitlines() if line.startswith("device ")]
    if swaps in host.files:
        _write(host, swaps, _text(host, swaps) + "".join(f"{device}\n" for device in devices))
    host.disk.remove(before)
    return YES


# Names


def _split(text: str) -> tuple[str, str]:
    """The block between the marks, marks and all, and everything else."""
    block, others, inside = "", "", False
    for line in text.splitlines(keepends=True):
        inside = inside or line.strip("\n") == BEGIN
        block, others = (block + line, others) if inside else (block, others + line)
        inside = inside and line.strip("\n") != END
    return block, others


def _has_entries(host: SimulatedHost, command: Command) -> Outcome:
    file, block = command.args
    return YES if _split(_text(host, path_of(file)))[0].rstrip("\n") == block else NO


def _has_no_entries(host: SimulatedHost, command: Command) -> Outcome:
    return NO if _split(_text(host, path_of(command.args[0])))[0] else YES


def _write_entries(host: SimulatedHost, command: Command) -> Outcome:
    return _replace(host, path_of(command.args[0]), f"{command.args[1]}\n")


def _drop_entries(host: SimulatedHost, command: Command) -> Outcome:
    return _replace(host, path_of(command.args[0]), "")


def _replace(host: SimulatedHost, file: PurePosixPath, block: str) -> Outcome:
    text = _text(host, file)
    lines = text.splitlines()
    if lines.count(BEGIN) != lines.count(END):
        marks = f"the marks '{BEGIN}' and '{END}' do not match; remove both, and the lines between"
        return refuse(f"mk8s: {file}: {marks}", 65)
    _write(host, file, block + _split(text)[1])
    return YES


def _is_restored(host: SimulatedHost, command: Command) -> Outcome:
    return NO if any(host.disk.exists(path_of(path)) for path in command.args) else YES


def _tidy(host: SimulatedHost, command: Command) -> Outcome:
    folder = path_of(command.args[0])
    if not _is_filled(host, folder):
        host.disk.remove(folder)
    return YES


def _is_tidy(host: SimulatedHost, command: Command) -> Outcome:
    folder = path_of(command.args[0])
    return YES if not host.disk.is_folder(folder) or _is_filled(host, folder) else NO


def _is_filled(host: SimulatedHost, folder: PurePosixPath) -> bool:
    return any(folder in path.parents for path in (*host.files, *host.folders))


ANSWERS: Mapping[str, Callable[[SimulatedHost, Command], Outcome]] = {
    "upstream.has-modules": _has_modules,
    "upstream.load-modules": _load_modules,
    "upstream.unload-modules": _unload_modules,
    "upstream.has-sysctls": _has_sysctls,
    "upstream.set-sysctls": _set_sysctls,
    "upstream.restore-sysctls": _restore_sysctls,
    "upstream.is-swap-off": _is_swap_off,
    "upstream.disable-swap": _disable_swap,
    "upstream.restore-swap": _restore_swap,
    "upstream.has-entries": _has_entries,
    "upstream.has-no-entries": _has_no_entries,
    "upstream.write-entries": _write_entries,
    "upstream.drop-entries": _drop_entries,
    "upstream.is-restored": _is_restored,
    "upstream.tidy": _tidy,
    "upstream.is-tidy": _is_tidy,
}

DURATIONS: Mapping[str, Span] = {
    **{name: GLANCE if "has-" in name or "is-" in name else CHANGE for name in ANSWERS},
    "upstream.load-modules": Span(0.05, 0.5),  # from disk; order of magnitude
    "upstream.disable-swap": Span(0.2, 5.0),  # what is swapped out comes back; order of magnitude
    "upstream.restore-swap": Span(0.05, 0.3),
}
"""How long each takes."""
