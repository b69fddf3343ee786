# SPDX-License-Identifier: Apache-2.0
"""The command `popspike`: one function a verb, each in a file of its own."""

import inspect
import os
import signal
import sys
from collections.abc import Callable

import typer

from popspike.commands import (
    bench,
    boards,
    build,
    demo,
    doctor,
    estimate,
    eval_,
    flash,
    generate,
    import_bs4nn,
    load,
    patch,
    run,
    train,
    verify,
    zoo,
)

__all__ = ["app", "main"]

#: Exit code of a command that a user's input or a missing tool stopped.
USER_ERROR = 2

app = typer.Typer(
    name="popspike",
    help="Binary-weight spiking networks from training to bitstream, proved cycle by cycle.",
    epilog="First steps:  popspike demo,  popspike zoo,  popspike eval bs4nn-mnist-256",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

_COMMANDS: dict[str, Callable[..., None]] = {
    "demo": demo.demo,
    "zoo": zoo.zoo,
    "boards": boards.boards,
    "eval": eval_.evaluate_network,
    "train": train.train_network,
    "import-bs4nn": import_bs4nn.import_arrays,
    "estimate": estimate.estimate,
    "generate": generate.generate,
    "verify": verify.verify_network,
    "build": build.build,
    "flash": flash.flash,
    "patch": patch.patch,
    "load": load.load,
    "run": run.run,
    "bench": bench.bench,
    "doctor": doctor.doctor,
}


def _help(function: Callable[..., None]) -> str:
    """Words of a command with the line breaks of the source taken out of its paragraphs."""
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split("\n")) for paragraph in paragraphs)


# They do something useful without arguments.
_BARE = ("demo", "zoo", "boards", "doctor")

for _name, _function in _COMMANDS.items():
    app.command(_name, help=_help(_function), no_args_is_help=_name not in _BARE)(_function)


def main() -> None:
    """Run the command line; an expected error is one clear text and a non-zero exit code.

    ``POPSPIKE_TRACEBACK=1`` shows where an error came from.
    """
    # Left to themselves these end Python at once, and what it started runs on.
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _stop)
    try:
        app()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output left, as `| head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except ModuleNotFoundError as error:
        if os.environ.get("POPSPIKE_TRACEBACK"):
            raise
        print(
            f"error: the Python package {error.name} is missing; install everything with: "
            "pip install 'popspike[all]'",
            file=sys.stderr,
        )
        sys.exit(USER_ERROR)
    except Exception as error:
        if os.environ.get("POPSPIKE_TRACEBACK") or not _expected(error):
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USER_ERROR)


def _stop(number: int, _frame: object) -> None:
    """End as after an error: tools and virtual boards are stopped, unfinished files removed."""
    print("stopped", file=sys.stderr)
    sys.exit(128 + number)


def _expected(error: Exception) -> bool:
    """Whether an error speaks to the user: ours all do, and so do those of files and links."""
    from model.data import DataError

    return isinstance(error, DataError | ValueError | RuntimeError | OSError)
