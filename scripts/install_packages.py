"""Installs the dbt packages of a project folder: with `dbt deps`, or without the package hub when it cannot be reached.

usage: python scripts/install_packages.py [PROJECT_DIR] [--dbt-utils FOLDER]

Local packages are linked as dbt itself does. Where the hub is out of reach, dbt_utils comes from stand_ins/dbt_utils,
which holds what this project uses of it. With --dbt-utils a copy of the given folder is used and the hub is not asked.
"""

import argparse
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
STAND_IN = ROOT / "stand_ins" / "dbt_utils"
HUB_SECONDS = 20


def declared_packages(project_dir: Path) -> list[dict[str, object]]:
    """The entries of packages.yml (or dependencies.yml); empty when the project has neither."""
    for name in ("packages.yml", "dependencies.yml"):
        path = project_dir / name
        if path.exists():
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
            return list(content.get("packages", []))
    return []


def project_name(project_dir: Path) -> str:
    return str(yaml.safe_load((project_dir / "dbt_project.yml").read_text(encoding="utf-8"))["name"])


def dbt_deps(project_dir: Path) -> str | None:
    """Runs `dbt deps`; returns None on success and otherwise the reason in one line."""
    dbt = Path(sys.executable).with_name("dbt")
    # Packages need no connection, and a consumer project may have no profile of its own yet.
    command = [str(dbt), "--no-use-colors", "deps", "--project-dir", str(project_dir), "--profiles-dir", str(ROOT)]
    try:
        done = subprocess.run(
            command, cwd=project_dir, capture_output=True, text=True, timeout=HUB_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {HUB_SECONDS} s"
    if done.returncode == 0:
        return None
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return textwrap.shorten(lines[-1], 140) if lines else f"dbt deps ended with code {done.returncode}"


def empty_folder(folder: Path) -> None:
    """Removes the folder's entries; links are removed, never followed."""
    folder.mkdir(exist_ok=True)
    for entry in folder.iterdir():
        if entry.is_symlink() or entry.is_file():
            entry.unlink()
        else:
            shutil.rmtree(entry)


def install_without_hub(project_dir: Path, dbt_utils: Path) -> list[str]:
    """Links local packages and copies dbt_utils, for the project and all packages below it; returns what it did."""
    packages_dir = project_dir / "dbt_packages"
    empty_folder(packages_dir)
    (project_dir / "package-lock.yml").unlink(missing_ok=True)
    notes: list[str] = []
    waiting = [(project_dir, package) for package in declared_packages(project_dir)]
    seen: set[str] = set()
    while waiting:
        declared_in, package = waiting.pop(0)
        if "local" in package:
            source = (declared_in / str(package["local"])).resolve()
            name = project_name(source)
            if name in seen:
                continue
            link = packages_dir / name
            link.symlink_to(os.path.relpath(source, packages_dir), target_is_directory=True)
            waiting += [(source, below) for below in declared_packages(source)]
        elif package.get("package") == "dbt-labs/dbt_utils":
            source, name = dbt_utils, "dbt_utils"
            if name in seen:
                continue
            shutil.copytree(source, packages_dir / name, ignore=shutil.ignore_patterns(".git", "integration_tests"))
        else:
            raise SystemExit(f"packages: {package} needs the package hub")
        seen.add(name)
        notes.append(f"{name} from {source}")
    return notes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("project_dir", nargs="?", type=Path, default=ROOT)
    parser.add_argument("--dbt-utils", type=Path, help="folder that holds dbt_utils; the hub is not asked")
    arguments = parser.parse_args()
    project_dir: Path = arguments.project_dir.resolve()

    if arguments.dbt_utils is not None:
        source = arguments.dbt_utils.resolve()
        if not (source / "dbt_project.yml").exists() or project_name(source) != "dbt_utils":
            raise SystemExit(f"packages: no dbt_utils in {source}")
    else:
        reason = dbt_deps(project_dir)
        if reason is None:
            print("packages: installed from the hub")
            return
        print(f"packages: `dbt deps` failed: {reason}")
        print("packages: dbt_utils is replaced by this project's stand-in (stand_ins/dbt_utils/README.md)")
        source = STAND_IN
    for note in install_without_hub(project_dir, source):
        print(f"packages: {note}")


if __name__ == "__main__":
    main()
