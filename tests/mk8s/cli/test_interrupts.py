"""Ctrl-C while several nodes are asked at once: an exit code, not a traceback."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

from mk8s.standin import build_release

MANIFEST = """\
distro: rke2
version: v1.33.4+rke2r1
arch: amd64
airgap: true
artifacts_dir: ./release
nodes:
  - {{address: 127.0.0.1, port: {port}, user: ops, role: server, primary: true}}
"""


# Tests that run in the background of a script inherit that Ctrl-C is ignored.
LISTEN = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
LISTENING = [sys.executable, "-c", LISTEN + "from mk8s.cli import main; raise SystemExit(main())"]


def test_ctrl_c_before_the_engine_runs_says_so_and_leaves_no_traceback(tmp_path: Path) -> None:
    """The node takes the connection and never speaks; nothing was begun, so there is nothing to resume."""
    build_release(tmp_path / "release", "v1.33.4+rke2r1")
    with socket.create_server(("127.0.0.1", 0)) as node:
        manifest = tmp_path / "cluster.yaml"
        manifest.write_text(MANIFEST.format(port=node.getsockname()[1]))
        command = [*LISTENING, "run", str(manifest)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
            try:
                node.settimeout(60)
                connection, _ = node.accept()
                with connection:
                    run.send_signal(signal.SIGINT)
                    _, said = run.communicate(timeout=60)
            finally:
                run.kill()
    assert (run.returncode, "Traceback" in said) == (130, False), said
    assert said.splitlines()[-1] == "interrupted"
