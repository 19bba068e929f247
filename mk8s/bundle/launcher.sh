#!/bin/sh
# mk8s as it travels in a bundle. Looks for a Python that its native modules fit, and starts mk8s with it:
# nothing of this machine's own Python libraries is used, and nothing is written into this folder.
# MK8S_PYTHON=/path/to/python3 names the one to use.

suffix='@SUFFIX@'
libc='@LIBC@'
minor='@MINOR@'
words='@WORDS@'

# Answers "ok", or what is wrong; "noexec" is wrong with the folder. Python 2 understands it, too.
probe='
import os, platform, sys
try:
    from importlib.machinery import EXTENSION_SUFFIXES
except ImportError:
    EXTENSION_SUFFIXES = []
try:
    libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
except (ValueError, OSError):
    libc = ""
def numbers(text):
    return [int(part) for part in text.split(".")[:2] if part.isdigit()]
kind = "%s %d.%d" % ((platform.python_implementation(),) + tuple(sys.version_info[:2]))
about = "%s on %s with %s" % (kind, platform.machine(), libc or "another C library than glibc")
missing = []
for name in ("hashlib", "ssl", "tarfile", "zlib"):
    try:
        __import__(name)
    except ImportError:
        missing.append(name)
if sys.argv[1] not in EXTENSION_SUFFIXES:
    print(about)
elif libc and numbers(libc.split()[-1]) < numbers(sys.argv[2]):
    print(about)
elif missing:
    print(about + ", but its standard library is not whole: no " + ", ".join(missing))
elif os.statvfs(sys.argv[3]).f_flag & getattr(os, "ST_NOEXEC", 0):
    print("noexec")
else:
    print("ok")
'

: "${PATH:=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}"
if ! me=$(readlink -f -- "$0") || [ ! -f "$me" ]; then
    echo "error: mk8s does not find its own folder from $0" >&2
    echo "hint: start it by its whole path" >&2
    exit 2
fi
lib=${me%/*}/lib
if [ ! -f "$lib/__main__.py" ]; then
    echo "error: $lib is not there, or not whole: this is not a complete mk8s" >&2
    echo "hint: unpack the whole bundle again" >&2
    exit 2
fi

refuse_folder() {
    echo "error: $lib is on a file system that is mounted noexec, where native modules cannot be loaded" >&2
    echo "hint: unpack the bundle to another disk, or remount this one with exec" >&2
    exit 2
}

become_mk8s() {  # compiled Python that somebody may have put there is not looked for
    exec "$path" -I -S -B -X pycache_prefix=/dev/null "$lib" "$@"
}

found=
tried=:
look_at() {  # one Python; becomes mk8s if it fits
    path=$(command -v "$1") || return 1
    case $tried in *":$path:"*) return 1 ;; esac
    tried=$tried$path:
    answer=$("$path" -I -S -B -c "$probe" "$suffix" "$libc" "$lib" 2>/dev/null)
    [ "$answer" = noexec ] && refuse_folder
    [ "$answer" = ok ] && return 0
    [ -n "$answer" ] || answer=$("$path" -V 2>&1 | head -n 1)
    found="$found
  $path: ${answer:-it does not run}"
    return 1
}

if [ -n "${MK8S_PYTHON:-}" ]; then
    look_at "$MK8S_PYTHON" && become_mk8s "$@"
    [ -n "$found" ] || found="
  MK8S_PYTHON=$MK8S_PYTHON: there is no such program"
else
    for name in "python$minor" python3 python "/usr/local/bin/python$minor" "/usr/bin/python$minor" \
        /usr/local/bin/python3 /usr/bin/python3; do
        look_at "$name" && become_mk8s "$@"
    done
fi

echo "error: this mk8s needs $words, and found none" >&2
echo "found:${found:- no Python at all}" >&2
echo "hint: install Python $minor on this machine (apt install python$minor, dnf install python$minor), or name one" >&2
echo "      that is not on the PATH: MK8S_PYTHON=/path/to/python$minor; or make the bundle for the Python that is here" >&2
exit 2
