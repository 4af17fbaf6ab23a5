"""One command per task: ``nox -f .ci/noxfile.py -s lint`` (``-l`` lists the tasks).

Each task runs in an environment of its own below ``.ci/.nox``, made at the first run. With
``--no-venv`` it runs in the environment that is active now and installs nothing.
"""

from pathlib import Path

import nox

ROOT = Path(__file__).parent.parent
PAGES = sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md"))
CORES = ("-n", "auto", "--dist", "worksteal")

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "tests"]


def prepare(session: nox.Session, extras: str) -> None:
    """Go to the project's folder, and install the project with some extras."""
    session.chdir(ROOT)
    if session.virtualenv.venv_backend != "none":
        session.install("--quiet", "-e", f".[{extras}]")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests; words behind ``--`` go to pytest, as ``-- tests/test_solve.py -x``."""
    prepare(session, "test")
    session.run("pytest", *(session.posargs or CORES))


@nox.session
def exhaustive(session: nox.Session) -> None:
    """Run the long tests, too, and the comparisons with PyTorch and Parquet files."""
    prepare(session, "test,parity")
    marks = ("--hypothesis-profile=exhaustive", "-m", "exhaustive or not exhaustive")
    session.run("pytest", *CORES, *marks, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check the code's style and its format; ``-- --fix`` mends what can be mended."""
    prepare(session, "dev")
    session.run("ruff", "check", ".", *session.posargs)
    session.run("ruff", "format", *([] if "--fix" in session.posargs else ["--check"]), ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types."""
    prepare(session, "dev")
    session.run("mypy", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Check the generated tables of all pages; ``-- --write`` brings them up to date."""
    prepare(session, "plot,parquet")
    check = [] if "--write" in session.posargs else ["--check"]
    session.run("archcost", "docs", *check, "README.md", *PAGES)


@nox.session
def site(session: nox.Session) -> None:
    """Build the site into build/site; ``-- serve`` shows it in a browser while you write."""
    prepare(session, "site")
    words = session.posargs or ("build", "--strict")
    quiet = {"NO_MKDOCS_2_WARNING": "1"}
    session.run("mkdocs", *words, "-f", ".ci/mkdocs.yml", env=quiet)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Measure; words behind ``--`` are the names of benchmarks, else all of them."""
    prepare(session, "test,parquet")
    found = sorted(file.stem for file in (ROOT / "benchmarks").glob("[a-z]*.py"))
    for name in session.posargs or (name for name in found if name != "machine"):
        session.run("python", "-m", f"benchmarks.{name}")
