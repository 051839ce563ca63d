"""Where the files are that the image names: scripts/rustc has it name none by a folder of the machine that built it.

qemu/gdbinit has GDB read this. Files of this tree are looked for in the tree, whatever folder GDB was started in.
"""

import glob
import os
import subprocess

import gdb

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CARGO_HOME = os.environ.get("CARGO_HOME", os.path.expanduser("~/.cargo"))


def rustc(*arguments):
    return subprocess.run(("rustc", *arguments), cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def is_at(name, folder):
    gdb.execute(f'set substitute-path "{name}" "{folder}"')


gdb.execute(f'directory "{ROOT}"')
[commit] = [line.split()[1] for line in rustc("-vV").splitlines() if line.startswith("commit-hash: ")]
is_at(f"/rustc/{commit}", os.path.join(rustc("--print", "sysroot").strip(), "lib/rustlib/src/rust"))
for package in glob.glob(os.path.join(CARGO_HOME, "registry/src/*/*")):
    is_at(f"/cargo/{os.path.basename(package)}", package)
