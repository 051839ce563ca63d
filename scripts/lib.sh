# shellcheck shell=bash
# What every script shares; sourced, never run. It moves to the root of the tree, whatever the caller's directory was.
#
# A script declares `help` and calls `parse`; then `given` holds its options in the form `--name` or `--name=value`,
# and `words` the rest. A refusal is one line on stderr and status 2.

invoked_from=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
script=scripts/$(basename "$0")
target=aarch64-unknown-none-softfloat

# Each of these replaces a setting of .cargo/config.toml without a word.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET CARGO_BUILD_RUSTFLAGS RUSTC_WRAPPER CARGO_BUILD_RUSTC_WRAPPER
# A fresh rustup is not yet on this shell's path.
command -v rustc >/dev/null || PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
qemu=${QEMU:-qemu-system-aarch64}

# Options of the emulated machine: scripts/boot obeys them, others take them and pass them on.
machine_options=(--machine= --smp= --memory= --cpu= --gic= --exact --icount --one-insn-per-tb --one-thread --no-semihosting --qemu= --qemu-arg=)
machine_help="Machine (QEMU= picks the emulator, qemu-system-aarch64 otherwise):
  --machine NAME       a file of qemu/: $(cd qemu && echo *.cfg | sed 's/\.cfg//g') (default: virt-4)
  --smp N              number of CPUs
  --memory SIZE        such as 512M or 2G
  --cpu MODEL          such as max (default), cortex-a76, neoverse-n1
  --gic 2|3            version of the interrupt controller
  --exact              instructions are the clock, and CPUs take turns: each run is equal to the byte, on any number of CPUs,
                       as long as nobody types. Slower: a second of guest time is a thousand million instructions
  --icount             another name for it
  --one-insn-per-tb    translate one instruction at a time, so that interrupts can come after each
  --one-thread         emulate all CPUs in one host thread, by turns: cheaper where they wait for each other
  --no-semihosting     without exit statuses, as on hardware: the kernel ends by powering off
  --qemu PATH          the emulator, instead of QEMU=
  --qemu-arg ARG       hand ARG to QEMU as it is; may be repeated"

refuse() {
    echo "$script: $*" >&2
    exit 2
}

# tool NAME: the path of a program of this workspace, which is built unless it is newer than its sources.
tool() {
    local folder path
    folder=$(cd "$root" && realpath -m "${CARGO_TARGET_DIR:-target}")
    path=$folder/release/$1
    if [ ! -x "$path" ] || [ -n "$(find "$root/scripts/$1" "$root/src" "$root/Cargo.lock" -newer "$path" -print -quit)" ]; then
        (cd "$root" && cargo build --quiet --release -p "$1" >&2) || refuse "cargo could not build '$1' (its message is above)"
        [ -x "$path" ] || refuse "cargo built '$1', but not as '$path': unset what names another target folder"
        touch "$path"
    fi
    echo "$path"
}

version() { sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1; }

# The allowed options as a refusal names them.
spell() {
    [ $# -eq 0 ] || printf '%s, ' "${@/%=/ VALUE}"
    echo '--help, --version'
}

# Refuses a machine that cannot be, before anything is built for it. What the emulator's own options may be it knows itself.
judge_machine() {
    local value=${1#*=}
    case $1 in
    --smp=*) [[ $value =~ ^[1-9][0-9]*$ ]] || refuse "option '--smp' is a number of CPUs, not '$value'" ;;
    --gic=*) [[ $value =~ ^[23]$ ]] || refuse "option '--gic' is 2 or 3, not '$value'" ;;
    --machine=*) [ -f "qemu/$value.cfg" ] || refuse "there is no machine '$value'; there are: $(cd qemu && echo *.cfg | sed 's/\.cfg//g')" ;;
    esac
}

# parse ALLOWED... -- ARGUMENTS...: an allowed option is `--name`, or `--name=` when it takes a value.
parse() {
    local -a allowed=()
    while [ "$1" != -- ]; do
        allowed+=("$1")
        shift
    done
    shift
    given=() words=()
    local name
    while [ $# -gt 0 ]; do
        name=${1%%=*}
        case $1 in
        --)
            words+=("${@:2}")
            return
            ;;
        --help | -h)
            help
            exit 0
            ;;
        --version)
            echo "holdout $(version)"
            exit 0
            ;;
        -*)
            if [[ " ${allowed[*]} " == *" $name= "* ]]; then
                if [[ $1 != *=* ]]; then
                    [ $# -ge 2 ] || refuse "option '$name' needs a value"
                    set -- "$1=$2" "${@:3}"
                fi
                [ -n "${1#*=}" ] || refuse "option '$name' needs a value"
            elif [[ " ${allowed[*]} " != *" $1 "* ]]; then
                refuse "unknown option '$1'; allowed: $(spell "${allowed[@]}")"
            fi
            judge_machine "$1"
            given+=("$1")
            ;;
        *) words+=("$1") ;;
        esac
        shift
    done
}
